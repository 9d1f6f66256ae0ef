// GET /api/public/v2/observations: cursor pages, field groups, and metadata cut to 200 characters unless asked for.

import { z } from 'zod';
import { systemClock, tryParseJson } from '#base';
import { invalidData, invalidRequest } from './reply.ts';
import type { SearchColumn, SpanStore, StoredRow } from './span-store.ts';

const fieldGroups = [
  'core',
  'basic',
  'time',
  'io',
  'metadata',
  'model',
  'usage',
  'prompt',
  'metrics',
  'trace_context',
] as const;
type FieldGroup = (typeof fieldGroups)[number];

const metadataCharactersMax = 200;
const instant = z.iso.datetime({ offset: true });
const cursorShape = z.object({ lastStartTimeTo: z.string(), lastTraceId: z.string(), lastId: z.string() });

const querySchema = z.object({
  fields: z
    .string()
    .transform((text) => text.split(',').map((field) => field.trim()))
    .pipe(z.array(z.enum(fieldGroups)))
    .optional(),
  expandMetadata: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(50),
  cursor: z.string().optional(),
  parseIoAsJson: z.literal('false', 'parseIoAsJson is no longer supported').optional(),
  name: z.string().optional(),
  userId: z.string().optional(),
  sessionId: z.string().optional(),
  type: z.string().optional(),
  traceId: z.string().optional(),
  level: z.enum(['DEBUG', 'DEFAULT', 'WARNING', 'ERROR']).optional(),
  parentObservationId: z.string().optional(),
  isRootObservation: z.enum(['true', 'false']).optional(),
  fromStartTime: instant.optional(),
  toStartTime: instant.optional(),
  version: z.string().optional(),
  filter: z.string().optional(),
});

export function listObservations(url: URL, from: { projectId: string; store: SpanStore }): unknown {
  const parsed = querySchema.safeParse(Object.fromEntries(url.searchParams));
  if (!parsed.success) throw invalidData(parsed.error);
  const query = parsed.data;
  if (query.filter !== undefined) throw invalidRequest('The `filter` parameter is not part of the lab');
  const rows = from.store.find({
    project: from.projectId,
    nowMs: systemClock.wallMs(),
    limit: query.limit + 1,
    fromUs: query.fromStartTime === undefined ? undefined : Date.parse(query.fromStartTime) * 1_000,
    toUs: query.toStartTime === undefined ? undefined : Date.parse(query.toStartTime) * 1_000,
    environments: url.searchParams.getAll('environment'),
    isRoot: query.isRootObservation === undefined ? undefined : query.isRootObservation === 'true',
    equals: equalities(query),
    after: query.cursor === undefined ? undefined : readCursor(query.cursor),
  });
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  const groups = new Set<FieldGroup>(['core', ...(query.fields ?? (['basic'] as const))]);
  const expand = new Set(query.expandMetadata?.split(',').map((key) => key.trim()));
  return {
    data: page.map((row) => ({ ...fieldsOf(row, { groups, expand }), projectId: from.projectId })),
    meta: last ? { cursor: writeCursor(last) } : {},
  };
}

function equalities(query: z.infer<typeof querySchema>): Partial<Record<SearchColumn, string | null>> {
  const equals: Partial<Record<SearchColumn, string | null>> = {};
  for (const column of ['name', 'userId', 'sessionId', 'type', 'traceId', 'level', 'version'] as const) {
    const value = query[column];
    if (value !== undefined) equals[column] = value;
  }
  if (query.parentObservationId !== undefined) equals.parentSpanId = query.parentObservationId || null;
  return equals;
}

function readCursor(text: string): { startUs: number; traceId: string; spanId: string } {
  const json = tryParseJson(Buffer.from(text, 'base64').toString('utf8'));
  const cursor = cursorShape.safeParse(json.ok ? json.value : undefined);
  if (!cursor.success) throw invalidData(cursor.error);
  return {
    startUs: Number(cursor.data.lastStartTimeTo),
    traceId: cursor.data.lastTraceId,
    spanId: cursor.data.lastId,
  };
}

function writeCursor(row: StoredRow): string {
  const cursor = { lastStartTimeTo: String(row.startUs), lastTraceId: row.traceId, lastId: row.spanId };
  return Buffer.from(JSON.stringify(cursor)).toString('base64');
}

function fieldsOf(
  row: StoredRow,
  ask: { groups: ReadonlySet<FieldGroup>; expand: ReadonlySet<string> },
): Record<string, unknown> {
  const fields: Record<string, unknown> = {
    modelId: null,
    inputPrice: null,
    outputPrice: null,
    totalPrice: null,
  };
  for (const group of ask.groups) Object.assign(fields, fieldsOfGroup(group, row, ask.expand));
  return fields;
}

function fieldsOfGroup(group: FieldGroup, row: StoredRow, expand: ReadonlySet<string>): Record<string, unknown> {
  const { detail } = row;
  switch (group) {
    case 'core':
      return {
        id: row.spanId,
        traceId: row.traceId,
        startTime: isoOf(row.startUs),
        endTime: row.endUs === null ? null : isoOf(row.endUs),
        parentObservationId: row.parentSpanId,
        type: row.type,
      };
    case 'basic':
      return {
        name: row.name,
        level: row.level,
        statusMessage: detail.statusMessage,
        version: row.version,
        environment: row.environment,
        bookmarked: false,
        public: detail.public,
        userId: row.userId,
        sessionId: row.sessionId,
        isRootObservation: row.isRoot,
      };
    case 'time':
      return {
        completionStartTime: detail.completionStartTime,
        createdAt: new Date(row.storedAtMs).toISOString(),
        updatedAt: new Date(row.updatedAtMs).toISOString(),
      };
    case 'io':
      return { input: detail.input, output: detail.output };
    case 'metadata':
      return { metadata: cutMetadata(detail.metadata, expand) };
    case 'model':
      return { providedModelName: detail.model, internalModelId: null, modelParameters: detail.modelParameters };
    case 'usage':
      return {
        usageDetails: detail.usage,
        costDetails: detail.cost,
        totalCost: detail.cost['total'] ?? 0,
        usagePricingTierName: null,
      };
    case 'prompt':
      return { promptId: null, promptName: detail.promptName, promptVersion: detail.promptVersion };
    case 'metrics':
      return {
        latency: row.endUs === null ? null : (row.endUs - row.startUs) / 1_000_000,
        timeToFirstToken:
          detail.completionStartTime === null
            ? null
            : (Date.parse(detail.completionStartTime) * 1_000 - row.startUs) / 1_000_000,
      };
    case 'trace_context':
      return { tags: detail.tags, release: detail.release, traceName: detail.traceName };
  }
}

function cutMetadata(metadata: Readonly<Record<string, string>>, expand: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [
      key,
      expand.has(key) ? value : value.slice(0, metadataCharactersMax),
    ]),
  );
}

function isoOf(microseconds: number): string {
  return new Date(Math.floor(microseconds / 1_000)).toISOString();
}
