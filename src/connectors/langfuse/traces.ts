// Telemetry in and out: one OTLP export, and observations read back by time window or by trace. Only what can be read
// counts as stored; a 200 to an export says that it was queued.

import { z } from 'zod';
import { codeOf, Failure, tryParseJson } from '#base';
import type { ReadContext, StoredObservation } from '../port.ts';
import type { Call, SiteClient } from './client.ts';
import { unexpected } from './failures.ts';
import { parsed } from './prompt-reader.ts';

const pagesMax = 1_000;

const observationsSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      traceId: z.string().nullable(),
      startTime: z.iso.datetime({ offset: true }),
      name: z.string().nullish(),
      environment: z.string().nullish(),
      metadata: z.record(z.string(), z.unknown()).nullish(),
      output: z.unknown().optional(),
    }),
  ),
  meta: z.object({ cursor: z.string().nullish() }),
});

/** Start times from `fromMs` (inclusive) to `toMs` (exclusive); metadata values are cut to 200 characters. */
export function observationsBetween(
  client: SiteClient,
  window: { fromMs: number; toMs: number },
  context: ReadContext,
): Promise<StoredObservation[]> {
  return readAll(client, context, {
    fromStartTime: new Date(window.fromMs).toISOString(),
    toStartTime: new Date(window.toMs).toISOString(),
    fields: 'core,basic,metadata',
  });
}

/** The observations of one trace, with their output. */
export function observationsOfTrace(
  client: SiteClient,
  traceId: string,
  context: ReadContext,
): Promise<StoredObservation[]> {
  return readAll(client, context, { traceId, fields: 'core,basic,io,metadata' });
}

async function readAll(
  client: SiteClient,
  context: ReadContext,
  query: Record<string, string>,
): Promise<StoredObservation[]> {
  const traceId = query['traceId'];
  const what = traceId === undefined ? 'observations' : `observations of trace ${traceId}`;
  const stored: StoredObservation[] = [];
  let cursor: string | undefined;
  for (let page = 1; page <= pagesMax; page++) {
    const reply = await readPage(client, {
      what,
      method: 'GET',
      path: '/api/public/v2/observations',
      query: { ...query, limit: client.limits.observationsPerPage, cursor },
      deadlineMs: client.limits.readDeadlineMs,
      context,
    });
    const { data, meta } = parsed(observationsSchema, reply, { client, what });
    stored.push(...data.map(observationOf));
    if (meta.cursor === undefined || meta.cursor === null) return stored;
    if (meta.cursor === cursor) throw unexpected(client.url, what, 'its cursor stands still');
    cursor = meta.cursor;
  }
  throw new Failure('LANGFUSE_WINDOW_TOO_WIDE', `more than ${pagesMax} pages of ${what}`, {
    hint: 'ask for a shorter time window',
  });
}

async function readPage(client: SiteClient, call: Call): Promise<unknown> {
  try {
    return await client.json(call);
  } catch (error) {
    if (codeOf(error) !== 'LANGFUSE_NOT_FOUND') throw error;
    throw new Failure('LANGFUSE_UNSUPPORTED', 'this Langfuse has no v2 observations API', {
      next: 'ask_operator',
      hint: 'traces can be read back from server version 4 on',
      cause: error,
    });
  }
}

function observationOf(row: z.infer<typeof observationsSchema>['data'][number]): StoredObservation {
  return {
    id: row.id,
    traceId: row.traceId ?? '',
    name: row.name ?? '',
    startTimeMs: Date.parse(row.startTime),
    environment: row.environment ?? 'default',
    ...(row.metadata ? { metadata: row.metadata } : {}),
    ...(row.output === undefined || row.output === null
      ? {}
      : { output: typeof row.output === 'string' ? row.output : JSON.stringify(row.output) }),
  };
}

/** Ships one OTLP/JSON export once. Repeating it is safe as long as ids and start times stay the same. */
export async function exportSpans(client: SiteClient, otlpJson: string, context: ReadContext): Promise<void> {
  const what = 'an export of spans';
  const reply = await client.send({
    what,
    method: 'POST',
    path: '/api/public/otel/v1/traces',
    body: otlpJson,
    deadlineMs: client.limits.exportDeadlineMs,
    context,
  });
  if (reply.status !== 200) throw client.failureOf(reply, what);
  if (!tryParseJson(reply.text).ok) {
    throw unexpected(client.url, what, `a 200 that is ${reply.contentType || 'no JSON'}`);
  }
}
