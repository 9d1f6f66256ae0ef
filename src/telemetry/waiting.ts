// Two small pieces that every loop of this folder stands on: a wake-up call that is never lost, and a call with a
// deadline that holds even when the callee ignores its signal.

import { Failure, type Clock } from '#base';

/** A loop waits on it; anyone wakes it. A wake between two waits is remembered. */
export class Waker {
  #woken = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  /** Resolves on the next wake, after `timeoutMs`, or when the signal aborts, whichever is first. */
  async wait(clock: Clock, signal: AbortSignal, timeoutMs?: number): Promise<void> {
    if (!this.#woken && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const cancel = timeoutMs === undefined ? () => {} : clock.after(timeoutMs, done);
        const onAbort = (): void => done();
        function done(): void {
          cancel();
          signal.removeEventListener('abort', onAbort);
          resolve();
        }
        this.#resolve = done;
        signal.addEventListener('abort', onAbort, { once: true });
      });
      this.#resolve = undefined;
    }
    this.#woken = false;
  }
}

/** Runs a call with a deadline. Rejects with `TIMEOUT` when it passes, with the outer signal's reason when that aborts. */
export async function withDeadline<T>(
  clock: Clock,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly what: string },
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  options.signal.throwIfAborted();
  const controller = new AbortController();
  let cancel = (): void => {};
  const stopped = new Promise<never>((_resolve, reject) => {
    const onAbort = (): void => {
      controller.abort(options.signal.reason);
      reject(options.signal.reason as Error);
    };
    const cancelTimer = clock.after(options.timeoutMs, () => {
      const late = new Failure('TIMEOUT', `${options.what} did not answer within ${options.timeoutMs} ms`, {
        next: 'retry',
      });
      controller.abort(late);
      reject(late);
    });
    options.signal.addEventListener('abort', onAbort, { once: true });
    cancel = () => {
      cancelTimer();
      options.signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    return await Promise.race([call(controller.signal), stopped]);
  } finally {
    cancel();
  }
}
