// POST /api/public/ingestion as a v4 in `events_only` answers it: 207 always, scores stored, log events swallowed, and
// every trace or observation event refused by name.

import { z } from 'zod';
import { isRecord } from '#base';
import { LangfuseError } from './reply.ts';
import { parseScore, type ScoreStore } from './scores.ts';

/** The real body parser's bound. */
export const ingestionBytesMax = 4.5 * 1024 * 1024;

const batchSchema = z.object({ batch: z.array(z.unknown()) });

interface EventError {
  readonly id: string;
  readonly status: number;
  readonly message: string;
  readonly error: string;
}

export function ingest(body: unknown, into: { projectId: string; scores: ScoreStore }): unknown {
  const batch = batchSchema.safeParse(body);
  if (!batch.success) {
    const errors = batch.error.issues.map((issue) => issue.message);
    throw new LangfuseError(400, { message: 'Invalid request data', errors });
  }
  const successes: { id: string; status: number }[] = [];
  const errors: EventError[] = [];
  for (const event of batch.data.batch) {
    const id = isRecord(event) && typeof event['id'] === 'string' ? event['id'] : 'unknown';
    const type = isRecord(event) ? event['type'] : undefined;
    if (type === 'sdk-log') continue;
    if (type !== 'score-create') {
      errors.push(notAccepted(id, String(type)));
      continue;
    }
    const score = parseScore((event as Record<string, unknown>)['body']);
    if (!score.success) {
      const issues = score.error.issues.map((issue) => ({ ...issue, path: ['body', ...issue.path] }));
      errors.push({ id, status: 400, message: 'Invalid request data', error: JSON.stringify(issues, null, 2) });
      continue;
    }
    into.scores.store(into.projectId, score.data);
    successes.push({ id, status: 201 });
  }
  return { successes, errors };
}

function notAccepted(id: string, type: string): EventError {
  return {
    id,
    status: 400,
    message: 'Event type not accepted',
    error:
      `Event type "${type}" is not accepted by /api/public/ingestion when LANGFUSE_MIGRATION_V4_WRITE_MODE is ` +
      'events_only. This endpoint only accepts score and log events. Upgrade the client or integration to a ' +
      'v4-compatible SDK or OTLP ingestion path. As a temporary migration bridge, set ' +
      'LANGFUSE_MIGRATION_V4_WRITE_MODE=dual on both the web and worker services and redeploy. Docs: ' +
      'https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4',
  };
}
