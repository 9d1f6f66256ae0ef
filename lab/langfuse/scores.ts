// Scores: POST /api/public/scores, `score-create` events of the ingestion endpoint, and GET /api/public/v3/scores.

import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { isRecord, systemClock } from '#base';
import { invalidData } from './reply.ts';

const target = {
  id: z.string().nullish(),
  traceId: z.string().nullish(),
  sessionId: z.string().nullish(),
  observationId: z.string().nullish(),
  datasetRunId: z.string().nullish(),
  name: z.string(),
  comment: z.string().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  environment: z.string().default('default'),
  configId: z.string().nullish(),
  queueId: z.string().nullish(),
};

const numeric = z.object({ ...target, dataType: z.literal('NUMERIC').nullish(), value: z.number() });
const boolean = z.object({ ...target, dataType: z.literal('BOOLEAN'), value: z.number().min(0).max(1) });
const categorical = z.object({ ...target, dataType: z.literal('CATEGORICAL').nullish(), value: z.string() });
const text = z.object({ ...target, dataType: z.literal('TEXT'), value: z.string().min(1).max(500) });
const correction = z.object({ ...target, dataType: z.literal('CORRECTION'), value: z.string() });

export type ScoreBody = z.infer<typeof numeric | typeof boolean | typeof categorical | typeof text | typeof correction>;

/** The schema of the declared data type; without one a number is NUMERIC and a text is CATEGORICAL. */
function schemaFor(body: unknown): z.ZodType<ScoreBody> {
  switch (isRecord(body) ? body['dataType'] : undefined) {
    case 'BOOLEAN':
      return boolean;
    case 'CATEGORICAL':
      return categorical;
    case 'TEXT':
      return text;
    case 'CORRECTION':
      return correction;
    case undefined:
    case null:
      return isRecord(body) && typeof body['value'] === 'string' ? categorical : numeric;
    default:
      return numeric;
  }
}

export function parseScore(body: unknown): z.ZodSafeParseResult<ScoreBody> {
  return schemaFor(body)
    .superRefine((score, context) => {
      const kinds = [score.traceId, score.sessionId, score.datasetRunId].filter((value) => value);
      if (kinds.length === 1 && (!score.observationId || score.traceId)) return;
      context.addIssue({
        code: 'custom',
        path: ['traceId', 'sessionId', 'datasetRunId', 'observationId'],
        message:
          'Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. ' +
          'ObservationId requires traceId.',
      });
    })
    .safeParse(body);
}

interface ScoreRow {
  readonly id: string;
  readonly atMs: number;
  readonly body: string;
}

export class ScoreStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(`CREATE TABLE IF NOT EXISTS scores (project TEXT, id TEXT, atMs REAL, body TEXT,
      PRIMARY KEY (project, id))`);
  }

  /** Ids may be set by the client: a repeated create replaces. */
  store(project: string, score: ScoreBody): string {
    const id = score.id ?? randomUUID();
    this.#database
      .prepare('INSERT OR REPLACE INTO scores (project, id, atMs, body) VALUES (?, ?, ?, ?)')
      .run(project, id, systemClock.wallMs(), JSON.stringify(score));
    return id;
  }

  all(project: string): ScoreRow[] {
    return this.#database
      .prepare('SELECT id, atMs, body FROM scores WHERE project = ? ORDER BY atMs DESC, id')
      .all(project) as unknown as ScoreRow[];
  }
}

const listSchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().optional(),
  fields: z
    .string()
    .transform((names) => names.split(','))
    .pipe(z.array(z.enum(['details', 'subject', 'annotation'])))
    .default([]),
  name: z.string().optional(),
  traceId: z.string().optional(),
  id: z.string().optional(),
});

export function listScores(url: URL, from: { projectId: string; store: ScoreStore }): unknown {
  const parsed = listSchema.safeParse(Object.fromEntries(url.searchParams));
  if (!parsed.success) throw invalidData(parsed.error);
  const { limit, cursor, fields, ...filters } = parsed.data;
  const start = cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64url').toString('utf8'));
  const scores = from.store
    .all(from.projectId)
    .map((row) => ({ row, body: JSON.parse(row.body) as ScoreBody }))
    .filter(({ row, body }) => matches(filters, { id: row.id, name: body.name, traceId: body.traceId ?? '' }));
  const page = scores.slice(start, start + limit);
  const more = scores.length > start + limit;
  return {
    data: page.map(({ row, body }) => viewOf(row, body, { projectId: from.projectId, fields })),
    meta: more ? { limit, cursor: Buffer.from(String(start + limit)).toString('base64url') } : { limit },
  };
}

function matches(filters: Record<string, string | undefined>, values: Record<string, string>): boolean {
  return Object.entries(filters).every(
    ([key, wanted]) => wanted === undefined || wanted.split(',').includes(values[key] ?? ''),
  );
}

function viewOf(row: ScoreRow, body: ScoreBody, ask: { projectId: string; fields: readonly string[] }): unknown {
  const at = new Date(row.atMs).toISOString();
  const dataType = body.dataType ?? (typeof body.value === 'number' ? 'NUMERIC' : 'CATEGORICAL');
  const kind = body.observationId ? 'observation' : body.traceId ? 'trace' : body.sessionId ? 'session' : 'experiment';
  return {
    id: row.id,
    projectId: ask.projectId,
    name: body.name,
    value: dataType === 'BOOLEAN' ? body.value === 1 : body.value,
    dataType,
    source: 'API',
    timestamp: at,
    environment: body.environment,
    createdAt: at,
    updatedAt: at,
    ...(ask.fields.includes('details')
      ? { comment: body.comment ?? null, configId: body.configId ?? null, metadata: body.metadata ?? {} }
      : {}),
    ...(ask.fields.includes('subject')
      ? {
          subject: {
            kind,
            id: body.observationId ?? body.traceId ?? body.sessionId ?? body.datasetRunId,
            ...(kind === 'observation' ? { traceId: body.traceId } : {}),
          },
        }
      : {}),
    ...(ask.fields.includes('annotation') ? { authorUserId: null, queueId: body.queueId ?? null } : {}),
  };
}
