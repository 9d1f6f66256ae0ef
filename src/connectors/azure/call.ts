// One call to an Azure service: under a deadline and the caller's signal, even where the SDK forgets to look at either.

import type { Clock } from '#base';

export interface CallLimits {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
}

/** Thrown inside connectors when a call outlived its deadline: nobody knows whether it took effect. */
export class DeadlineExceeded extends Error {
  constructor(deadlineMs: number) {
    super(`no answer within ${deadlineMs} ms`);
    this.name = 'TimeoutError';
  }
}

/** Runs a call with a signal that aborts at the deadline or with the caller; rejects then, whatever the call does. */
export async function withDeadline<T>(limits: CallLimits, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  limits.signal.throwIfAborted();
  const own = new AbortController();
  const cancel = limits.clock.after(limits.deadlineMs, () => own.abort(new DeadlineExceeded(limits.deadlineMs)));
  const forward = (): void => own.abort(limits.signal.reason);
  limits.signal.addEventListener('abort', forward, { once: true });
  const aborted = new Promise<never>((_resolve, reject) => {
    own.signal.addEventListener('abort', () => reject(own.signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([call(own.signal), aborted]);
  } catch (error) {
    // SDKs answer an abort with their own AbortError; the reason says more.
    throw own.signal.aborted ? own.signal.reason : error;
  } finally {
    cancel();
    limits.signal.removeEventListener('abort', forward);
  }
}
