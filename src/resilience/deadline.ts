// One deadline for a whole piece of work, as a signal that children narrow. Whoever starts a deadline ends it with
// `release`, so that no timer outlives the work.

import { Failure, type Clock } from '#base';

export interface Deadline {
  /** Aborts with a Failure: `DEADLINE_EXCEEDED`, or the reason given to `abort`. */
  readonly signal: AbortSignal;
  /** Milliseconds left, never negative; 0 once aborted. */
  remainingMs(): number;
  /** Ends the work early. */
  abort(reason: Failure): void;
  /** A deadline of at most `ms` that also ends with this one. */
  child(ms: number): Deadline;
  /** Stops the timer; the signal no longer aborts by itself. */
  release(): void;
}

/** Starts a deadline of `ms` milliseconds from now. */
export function startDeadline(clock: Clock, ms: number): Deadline {
  const controller = new AbortController();
  const dueMs = clock.monotonicMs() + ms;
  const cancel = clock.after(ms, () => {
    controller.abort(
      new Failure('DEADLINE_EXCEEDED', `the deadline of ${Math.round(ms)} ms has passed`, { next: 'retry' }),
    );
  });
  const deadline: Deadline = {
    signal: controller.signal,
    remainingMs: () => (controller.signal.aborted ? 0 : Math.max(0, dueMs - clock.monotonicMs())),
    abort(reason) {
      cancel();
      controller.abort(reason);
    },
    child(childMs) {
      const child = startDeadline(clock, Math.min(childMs, deadline.remainingMs()));
      const pass = (): void => child.abort(controller.signal.reason as Failure);
      if (controller.signal.aborted) pass();
      else controller.signal.addEventListener('abort', pass, { once: true });
      return {
        ...child,
        release() {
          controller.signal.removeEventListener('abort', pass);
          child.release();
        },
      };
    },
    release: cancel,
  };
  return deadline;
}
