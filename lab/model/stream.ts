// Sends a completion as server-sent events, with whatever trouble the lab ordered for this call.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { systemClock } from '#base';
import { streamEvents, type Completion } from './completion.ts';
import { serverError } from './errors.ts';
import type { StreamTrouble } from './faults.ts';

export interface StreamOptions {
  readonly includeUsage: boolean;
  readonly trouble: StreamTrouble;
  /** Milliseconds between events. */
  readonly intervalMs: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Called once, before the last byte can reach the client: what became of the stream. */
  readonly ended: (how: StreamEnd) => void;
}

/** finished: all was sent; cut: the provider broke it (a fault); client-gone: the client left first. */
export type StreamEnd = 'finished' | 'cut' | 'client-gone';

export async function sendStream(
  response: ServerResponse,
  completion: Completion,
  options: StreamOptions,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    ...options.headers,
  });
  const { trouble } = options;
  const intervalMs = trouble.intervalMs ?? options.intervalMs;
  try {
    let sent = 0;
    for (const event of streamEvents(completion, options.includeUsage)) {
      if (trouble.breaks && (sent >= trouble.breaks.afterEvents || finishes(event))) {
        await breakStream(response, trouble.breaks.how, { ended: options.ended, gone: gone.signal });
        return;
      }
      if (intervalMs > 0 && sent > 0) await systemClock.sleep(intervalMs, gone.signal);
      gone.signal.throwIfAborted();
      await write(response, `data: ${JSON.stringify(event)}\n\n`, gone.signal);
      sent++;
    }
  } catch (error) {
    if (!gone.signal.aborted) throw error;
    options.ended('client-gone');
    return;
  }
  options.ended('finished');
  response.end(trouble.withoutDone ? undefined : 'data: [DONE]\n\n');
}

/** A short answer may have fewer events than the fault waits for: it breaks before its finish reason at the latest. */
function finishes(event: Record<string, unknown>): boolean {
  const [choice] = event['choices'] as { finish_reason: string | null }[];
  return choice === undefined || choice.finish_reason !== null;
}

async function breakStream(
  response: ServerResponse,
  how: NonNullable<StreamTrouble['breaks']>['how'],
  watch: { ended: (how: StreamEnd) => void; gone: AbortSignal },
): Promise<void> {
  watch.ended('cut');
  switch (how) {
    case 'cut':
      // What was written before has to reach the client, or a cut mid-stream would look like a cut before the answer.
      await flushed(response);
      response.socket?.resetAndDestroy();
      return;
    case 'stall':
      if (!watch.gone.aborted) await once(watch.gone, 'abort');
      return;
    case 'malformed':
      response.end('data: {"id":"chatcmpl-broken","object":"chat.completion.chunk","choices":[{"index":0,"del\n\n');
      return;
    case 'error':
      response.end(`data: ${JSON.stringify(serverError)}\n\n`);
      return;
    case 'end':
      response.end();
      return;
  }
}

async function write(response: ServerResponse, text: string, gone: AbortSignal): Promise<void> {
  if (!response.write(text)) await once(response, 'drain', { signal: gone });
}

/** Gives what was written the time to leave this process. */
async function flushed(response: ServerResponse): Promise<void> {
  if (response.writableNeedDrain) await once(response, 'drain');
  await systemClock.sleep(10);
}
