// A retry budget: retries never exceed a declared share of the traffic to one upstream, so that a struggling provider
// is not pushed over by its own clients.

import type { Clock } from '#base';
import { countIn, countsOf, emptyWindow, type SlidingWindow } from './window.ts';

export interface RetryBudgetPolicy {
  /** Retries allowed per first call in the window, in [0, 1]. */
  readonly share: number;
  /** Retries per window that are always allowed: with little traffic a share of it would be none at all. */
  readonly retriesMin: number;
  readonly windowMs: number;
}

export class RetryBudget {
  readonly #policy: RetryBudgetPolicy;
  readonly #clock: Clock;
  #window: SlidingWindow = emptyWindow;

  constructor(policy: RetryBudgetPolicy, clock: Clock) {
    this.#policy = policy;
    this.#clock = clock;
  }

  /** Counts a first call (not a retry). */
  called(): void {
    this.#count(1, 0);
  }

  /** Takes one retry from the budget; false when there is none left. */
  takeRetry(): boolean {
    const counts = countsOf(this.#window, { atMs: this.#clock.monotonicMs(), windowMs: this.#policy.windowMs });
    const allowed = Math.max(this.#policy.retriesMin, Math.floor(counts.total * this.#policy.share));
    if (counts.marked >= allowed) return false;
    this.#count(0, 1);
    return true;
  }

  view(): { readonly calls: number; readonly retries: number } {
    const counts = countsOf(this.#window, { atMs: this.#clock.monotonicMs(), windowMs: this.#policy.windowMs });
    return { calls: counts.total, retries: counts.marked };
  }

  #count(total: number, marked: number): void {
    const atMs = this.#clock.monotonicMs();
    this.#window = countIn(this.#window, { atMs, windowMs: this.#policy.windowMs, total, marked });
  }
}
