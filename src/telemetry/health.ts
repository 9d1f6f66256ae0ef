// How one side of a destination (its intake or its reads) is doing: failures in a row, when it may be asked again, and
// the last error. Backoff doubles with jitter; a wait header the server sent is honoured.

import { codeOf, describeError, Failure, type Clock, type Randomness } from '#base';
import type { TelemetryLimits } from './limits.ts';
import type { TelemetryLog } from './port.ts';
import type { Waker } from './waiting.ts';

const failuresWhenDown = 3;

export interface HealthParts {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly limits: TelemetryLimits;
  readonly log: TelemetryLog;
  readonly destination: { readonly id: string };
  readonly side: 'intake' | 'reads';
}

export class Health {
  failures = 0;
  /** Failures since the start. */
  failedTotal = 0;
  lastError: { code: string; message: string; atMs: number } | undefined;
  #notBeforeMs = 0;
  readonly #parts: HealthParts;

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  get down(): boolean {
    return this.failures >= failuresWhenDown;
  }

  /** How long not to call; 0 when a call may be made. */
  get pauseMs(): number {
    return Math.max(0, this.#notBeforeMs - this.#parts.clock.monotonicMs());
  }

  succeeded(): void {
    if (this.down) this.#say('info', 'destination-back', 'answers again');
    this.failures = 0;
    this.#notBeforeMs = 0;
  }

  failed(error: unknown): void {
    const { clock, randomness, limits } = this.#parts;
    this.failures++;
    this.failedTotal++;
    this.note(codeOf(error), describeError(error));
    if (this.failures === failuresWhenDown) this.#say('warn', 'destination-down', describeError(error));
    const backoffMs = Math.min(limits.backoffMaxMs, limits.backoffFirstMs * 2 ** Math.min(this.failures - 1, 20));
    const jitteredMs = backoffMs * (0.5 + randomness.fraction() / 2);
    const waitMs = Math.min(limits.waitHeaderMsMax, retryAfterMs(error) ?? 0);
    this.#notBeforeMs = clock.monotonicMs() + Math.max(jitteredMs, waitMs);
  }

  /** Keeps an error for people without counting it as an outage. */
  note(code: string, message: string): void {
    this.lastError = { code, message, atMs: this.#parts.clock.wallMs() };
  }

  /** Forgets the pause: somebody wants to know now. */
  askNow(): void {
    this.#notBeforeMs = 0;
  }

  /** Waits until a call may be made. `waker` ends the wait early so that `askNow` takes effect. */
  async ready(waker: Waker, signal: AbortSignal): Promise<void> {
    while (this.pauseMs > 0 && !signal.aborted) await waker.wait(this.#parts.clock, signal, this.pauseMs);
    signal.throwIfAborted();
  }

  #say(level: 'info' | 'warn', code: string, message: string): void {
    const { log, destination, side } = this.#parts;
    log({ level, code, message, destination: destination.id, side });
  }
}

function retryAfterMs(error: unknown): number | undefined {
  const value = error instanceof Failure ? error.details['retryAfterMs'] : undefined;
  return typeof value === 'number' && value >= 0 ? value : undefined;
}
