// Client loops with the official client: each sends, waits for the end, and sends again at once, for the whole time.

import OpenAI from 'openai';
import { randomHex, systemClock, type Clock, type Randomness } from '#base';
import { send } from './outcome.ts';
import { planRequest } from './requests.ts';
import { TrafficLog, type TrafficRow, type TrafficSummary } from './rows.ts';

export interface TrafficOptions {
  /** Up to and including `/v1`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly model: string;
  readonly randomness: Randomness;
  /** Default 20. */
  readonly loops?: number;
  /** Default 0.5. */
  readonly streamShare?: number;
  /** Share of requests that offer a reading and a writing tool. Default 0.2. */
  readonly toolShare?: number;
  /** Stops sending; requests on their way are awaited. */
  readonly signal?: AbortSignal;
  /** A request that has not ended by then counts as cut. Default 60 s. */
  readonly requestDeadlineMs?: number;
  /** Pause of a loop after anything but an answer, so that a dead front door is not hammered. Default and maximum 50 ms. */
  readonly errorPauseMs?: number;
  /** Rows kept in memory. Default 200,000. */
  readonly rowsMax?: number;
  /** Called with every row, also those no longer kept. */
  readonly onRow?: (row: TrafficRow) => void;
  readonly clock?: Clock;
}

export interface Traffic {
  summary(): TrafficSummary;
  requests(): readonly TrafficRow[];
  /** Resolves when the condition holds; checked after each request. Rejects when traffic ends or the signal aborts first. */
  waitFor(condition: (summary: TrafficSummary) => boolean, signal?: AbortSignal): Promise<void>;
  /** Stops sending and waits for what is on its way; what has not ended after `graceMs` (default 10 s) is abandoned. */
  stop(options?: { graceMs?: number }): Promise<TrafficSummary>;
}

const errorPauseMsMax = 50;

export function startTraffic(options: TrafficOptions): Traffic {
  const clock = options.clock ?? systemClock;
  const log = new TrafficLog(options.rowsMax);
  const waiters = new Set<() => void>();
  const stopSending = new AbortController();
  const abandon = new AbortController();
  const sending = options.signal ? AbortSignal.any([options.signal, stopSending.signal]) : stopSending.signal;
  const loop = loopOf(options, {
    clock,
    log,
    sending,
    abandon: abandon.signal,
    onRow: (row) => {
      options.onRow?.(row);
      for (const check of waiters) check();
    },
  });
  const done = Promise.all(Array.from({ length: options.loops ?? 20 }, loop));

  return {
    summary: () => log.summary(),
    requests: () => log.rows(),
    waitFor: (condition, signal) =>
      new Promise((resolve, reject) => {
        const settle = (error?: Error): void => {
          waiters.delete(check);
          signal?.removeEventListener('abort', aborted);
          if (error) reject(error);
          else resolve();
        };
        const check = (): void => {
          if (condition(log.summary())) settle();
        };
        const aborted = (): void => settle(new Error('the wait was stopped', { cause: signal?.reason }));
        waiters.add(check);
        if (signal?.aborted) return aborted();
        signal?.addEventListener('abort', aborted);
        done.then(
          () => settle(new Error('traffic ended before the condition held')),
          (error: unknown) => settle(error as Error),
        );
        check();
      }),
    async stop({ graceMs = 10_000 } = {}) {
      stopSending.abort();
      const cancel = clock.after(graceMs, () => abandon.abort());
      await done;
      cancel();
      return log.summary();
    },
  };
}

interface LoopParts {
  readonly clock: Clock;
  readonly log: TrafficLog;
  readonly sending: AbortSignal;
  readonly abandon: AbortSignal;
  readonly onRow: (row: TrafficRow) => void;
}

function loopOf(options: TrafficOptions, parts: LoopParts): () => Promise<void> {
  const { clock, log } = parts;
  const pauseMs = Math.min(options.errorPauseMs ?? errorPauseMsMax, errorPauseMsMax);
  const deadlineMs = options.requestDeadlineMs ?? 60_000;
  const client = new OpenAI({
    baseURL: options.baseUrl,
    apiKey: options.apiKey,
    maxRetries: 0,
    timeout: deadlineMs,
    logLevel: 'off',
  });
  const shares = { streamShare: options.streamShare ?? 0.5, toolShare: options.toolShare ?? 0.2 };

  async function once(): Promise<TrafficRow> {
    const planned = planRequest(options.randomness, shares);
    const traceId = randomHex(16, options.randomness);
    const spanId = randomHex(8, options.randomness);
    const deadline = new AbortController();
    const cancel = clock.after(deadlineMs, () => deadline.abort(new DOMException('too late', 'TimeoutError')));
    const startedAtMs = clock.wallMs();
    log.sent();
    const { outcome, answeredTraceId } = await send(planned, {
      client,
      model: options.model,
      traceId,
      spanId,
      signal: AbortSignal.any([deadline.signal, parts.abandon]),
    });
    cancel();
    return {
      startedAtMs,
      endedAtMs: clock.wallMs(),
      traceId,
      ...(answeredTraceId === undefined || answeredTraceId === traceId ? {} : { answeredTraceId }),
      stream: planned.stream,
      outcome,
    };
  }

  return async () => {
    while (!parts.sending.aborted) {
      const row = await once();
      log.ended(row);
      parts.onRow(row);
      if (row.outcome.kind !== 'answered') await clock.sleep(pauseMs, parts.sending).catch(() => {});
    }
  };
}
