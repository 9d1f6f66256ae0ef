// A clock that runs at another rate than true time, and starts at any zero, for tests of the lease.

import type { Clock, ManualClock } from '#base';

export class RatedClock implements Clock {
  readonly #trueTime: ManualClock;
  readonly #rate: number;
  readonly #zeroMs: number;

  /** `rate` 1.01 gains one percent on true time; the clock's zero is now. */
  constructor(trueTime: ManualClock, rate: number) {
    this.#trueTime = trueTime;
    this.#rate = rate;
    this.#zeroMs = trueTime.monotonicMs();
  }

  wallMs(): number {
    return this.#trueTime.wallMs();
  }

  monotonicMs(): number {
    return (this.#trueTime.monotonicMs() - this.#zeroMs) * this.#rate;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#trueTime.sleep(ms / this.#rate, signal);
  }

  after(ms: number, action: () => void): () => void {
    return this.#trueTime.after(ms / this.#rate, action);
  }
}
