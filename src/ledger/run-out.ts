// When the leases granted to each site have certainly ended, on the grantor's own clock.

import { compareEpochs, type Clock, type Epoch, type Site } from '#base';

interface Granted {
  /** The newest epoch under which the site was granted. */
  readonly epoch: Epoch;
  /** Monotonic time from which on no grant can still be valid. */
  readonly endsAtMs: number;
}

export class RunOut {
  readonly #clock: Clock;
  readonly #granted = new Map<Site, Granted>();
  readonly #droppedListeners = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  granted(site: Site, epoch: Epoch, lastsMs: number): void {
    const before = this.#granted.get(site);
    this.#granted.set(site, {
      epoch,
      // A shorter ttl after a change of configuration must not shorten what was given before.
      endsAtMs: Math.max(before?.endsAtMs ?? 0, this.#clock.monotonicMs() + lastsMs),
    });
  }

  dropped(site: Site, epoch: Epoch): void {
    const granted = this.#granted.get(site);
    if (!granted || compareEpochs(granted.epoch, epoch) >= 0) return;
    this.#granted.delete(site);
    for (const listener of this.#droppedListeners) listener();
  }

  ranOut(site: Site): boolean {
    return this.#remainingMs(site) <= 0;
  }

  async wait(site: Site, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.ranOut(site)) await this.#untilDueOrDropped(this.#remainingMs(site), signal);
  }

  #remainingMs(site: Site): number {
    const granted = this.#granted.get(site);
    return granted ? granted.endsAtMs - this.#clock.monotonicMs() : 0;
  }

  #untilDueOrDropped(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        cancel();
        this.#droppedListeners.delete(onDropped);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onDropped = (): void => end(resolve);
      const onAbort = (): void => end(() => reject(signal.reason as Error));
      // At least 1 ms: a timer that fires a fraction early must not spin.
      const cancel = this.#clock.after(Math.max(1, Math.ceil(ms)), () => end(resolve));
      this.#droppedListeners.add(onDropped);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
