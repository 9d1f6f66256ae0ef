// A clock for runs in tests: whoever sleeps moves time on at once, so nothing waits and nothing depends on the machine.

import type { Clock } from '#base';

export class PromptClock implements Clock {
  #nowMs = 0;
  readonly #wallStartMs: number;

  constructor(wallStartMs = Date.UTC(2026, 0, 1)) {
    this.#wallStartMs = wallStartMs;
  }

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const cancel = this.after(ms, resolve);
      signal?.addEventListener('abort', () => (cancel(), reject(signal.reason as Error)), { once: true });
    });
  }

  after(ms: number, action: () => void): () => void {
    const dueMs = this.#nowMs + ms;
    const immediate = setImmediate(() => {
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      action();
    });
    return () => clearImmediate(immediate);
  }

  /** Moves time on without anybody sleeping. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
