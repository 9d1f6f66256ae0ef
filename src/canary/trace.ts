// Waits, with a bound, until the trace of an answer can be read back.

import { codeOf, type Clock } from '#base';
import type { Judged } from './judge.ts';

/** True when the trace can be read where traces are kept. Must heed its own deadline. */
export type FindTrace = (traceId: string) => Promise<boolean>;

export interface TraceOptions {
  /** Only an answer must have left a trace. */
  readonly answered: boolean;
  readonly findTrace: FindTrace;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const firstWaitMs = 100;
const waitMsMax = 2_000;

export async function awaitTrace(traceId: string | undefined, options: TraceOptions): Promise<Judged> {
  if (!options.answered) return { verdict: 'inconclusive', detail: 'no answer, so no trace was looked for' };
  if (traceId === undefined) {
    return {
      verdict: 'inconclusive',
      detail: 'the answer names no trace (x-understudy-trace)',
      mend: 'ask the gateway itself: something between strips its headers, or this is no gateway',
    };
  }
  const { clock } = options;
  const endMs = clock.monotonicMs() + options.deadlineMs;
  let lastError: string | undefined;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, waitMsMax)) {
    try {
      if (await options.findTrace(traceId)) return { verdict: 'pass', detail: `trace ${traceId} found` };
      lastError = undefined;
    } catch (error) {
      lastError = codeOf(error);
    }
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0 || options.signal.aborted) break;
    try {
      await clock.sleep(Math.min(waitMs, leftMs), options.signal);
    } catch {
      break; // Stopped: what is known so far is reported.
    }
  }
  return missing(traceId, { lastError, options });
}

function missing(traceId: string, seen: { lastError: string | undefined; options: TraceOptions }): Judged {
  if (seen.options.signal.aborted) {
    return { verdict: 'error', detail: `the search for trace ${traceId} was stopped`, mend: 'run the canary again' };
  }
  if (seen.lastError !== undefined) {
    return {
      verdict: 'inconclusive',
      detail: `whether trace ${traceId} was captured cannot be read (${seen.lastError})`,
      mend: 'make Langfuse readable from here, then run the canary again',
    };
  }
  return {
    verdict: 'fail',
    detail: `trace ${traceId} was not found within ${seen.options.deadlineMs} ms`,
    mend: 'see the telemetry lag of the gateway, and whether Langfuse stores what it accepts',
  };
}
