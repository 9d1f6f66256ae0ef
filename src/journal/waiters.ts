// Readers that wait for a record beyond what they have.

interface Waiter {
  readonly afterSequence: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Waiters {
  readonly #waiting = new Set<Waiter>();

  /** Resolves when a record after `afterSequence` is durable or the signal aborts. */
  wait(afterSequence: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', waiter.resolve);
        settle();
      };
      const waiter: Waiter = {
        afterSequence,
        resolve: end(resolve),
        reject: (error) => end(() => reject(error))(),
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', waiter.resolve, { once: true });
    });
  }

  reached(durableSequence: number): void {
    for (const waiter of this.#waiting) if (waiter.afterSequence < durableSequence) waiter.resolve();
  }

  rejectAll(error: Error): void {
    for (const waiter of this.#waiting) waiter.reject(error);
  }
}
