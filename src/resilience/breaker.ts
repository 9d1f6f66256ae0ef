// A circuit breaker: an upstream that keeps failing is left alone for a while, then tried with a few probes. The state
// is a tagged union that one pure function moves; `Breaker` only holds it and hands out permits.

import { unreachable, type Clock } from '#base';
import { countIn, countsOf, emptyWindow, type SlidingWindow } from './window.ts';

export interface BreakerPolicy {
  /** Share of failed calls in the window, in (0, 1], at which the breaker opens. */
  readonly failureRate: number;
  /** Calls the window must hold before the rate means anything. */
  readonly callsMin: number;
  readonly windowMs: number;
  readonly openForMs: number;
  /** Half-open: at most this many probes at a time, and this many must pass before it closes. */
  readonly probesMax: number;
}

export type BreakerState =
  | { readonly kind: 'closed'; readonly window: SlidingWindow }
  | { readonly kind: 'open'; readonly sinceMs: number; readonly untilMs: number }
  | { readonly kind: 'half-open'; readonly sinceMs: number; readonly probesOut: number; readonly probesPassed: number };

export interface BreakerEvent {
  /** `asked`: a call wants to pass. `abandoned`: it ended without saying anything about the upstream. */
  readonly kind: 'asked' | 'passed' | 'failed' | 'abandoned';
  /** Monotonic milliseconds. */
  readonly atMs: number;
}

export const closedBreaker: BreakerState = { kind: 'closed', window: emptyWindow };

/** The state after the event. A call that is `asked` was admitted exactly when `admits` said so before. */
export function moveBreaker(state: BreakerState, event: BreakerEvent, policy: BreakerPolicy): BreakerState {
  switch (state.kind) {
    case 'closed':
      return moveClosed(state, event, policy);
    case 'open':
      if (event.kind !== 'asked' || event.atMs < state.untilMs) return state;
      return { kind: 'half-open', sinceMs: event.atMs, probesOut: 1, probesPassed: 0 };
    case 'half-open':
      return moveHalfOpen(state, event, policy);
    default:
      return unreachable(state);
  }
}

/** Whether a call asked now may pass. */
export function admits(state: BreakerState, atMs: number, policy: BreakerPolicy): boolean {
  switch (state.kind) {
    case 'closed':
      return true;
    case 'open':
      return atMs >= state.untilMs;
    case 'half-open':
      return state.probesOut + state.probesPassed < policy.probesMax;
    default:
      return unreachable(state);
  }
}

function moveClosed(
  state: BreakerState & { kind: 'closed' },
  event: BreakerEvent,
  policy: BreakerPolicy,
): BreakerState {
  if (event.kind === 'asked' || event.kind === 'abandoned') return state;
  const marked = event.kind === 'failed' ? 1 : 0;
  const window = countIn(state.window, { atMs: event.atMs, windowMs: policy.windowMs, total: 1, marked });
  const counts = countsOf(window, { atMs: event.atMs, windowMs: policy.windowMs });
  const tooMany = counts.total >= policy.callsMin && counts.marked >= policy.failureRate * counts.total;
  return marked === 1 && tooMany ? opened(event.atMs, policy) : { kind: 'closed', window };
}

function moveHalfOpen(
  state: BreakerState & { kind: 'half-open' },
  event: BreakerEvent,
  policy: BreakerPolicy,
): BreakerState {
  switch (event.kind) {
    case 'asked':
      return admits(state, event.atMs, policy) ? { ...state, probesOut: state.probesOut + 1 } : state;
    case 'failed':
      return opened(event.atMs, policy);
    case 'abandoned':
      return { ...state, probesOut: state.probesOut - 1 };
    case 'passed': {
      const probesPassed = state.probesPassed + 1;
      if (probesPassed >= policy.probesMax) return closedBreaker;
      return { ...state, probesOut: state.probesOut - 1, probesPassed };
    }
    default:
      return unreachable(event.kind);
  }
}

function opened(atMs: number, policy: BreakerPolicy): BreakerState {
  return { kind: 'open', sinceMs: atMs, untilMs: atMs + policy.openForMs };
}

/** The right to make one call; exactly one of its functions is called when the call has ended, later ones do nothing. */
export interface Permit {
  passed(): void;
  failed(): void;
  abandoned(): void;
}

export interface BreakerView {
  readonly state: BreakerState['kind'];
  /** Milliseconds until a probe may pass; 0 when it is closed or a probe may pass now. */
  readonly retryInMs: number;
  readonly calls: number;
  readonly failures: number;
}

export class Breaker {
  readonly #policy: BreakerPolicy;
  readonly #clock: Clock;
  readonly #moved: (from: BreakerState['kind'], to: BreakerState['kind']) => void;
  #state: BreakerState = closedBreaker;
  /** Grows when the kind changes: a call from an earlier state says nothing about this one. */
  #generation = 0;

  constructor(
    policy: BreakerPolicy,
    clock: Clock,
    moved: (from: BreakerState['kind'], to: BreakerState['kind']) => void = () => undefined,
  ) {
    this.#policy = policy;
    this.#clock = clock;
    this.#moved = moved;
  }

  /** A permit, or undefined while the breaker is open. */
  ask(): Permit | undefined {
    if (!admits(this.#state, this.#clock.monotonicMs(), this.#policy)) return undefined;
    this.#move('asked');
    const generation = this.#generation;
    let settled = false;
    const settle = (kind: BreakerEvent['kind']) => (): void => {
      if (settled) return;
      settled = true;
      if (generation === this.#generation) this.#move(kind);
    };
    return { passed: settle('passed'), failed: settle('failed'), abandoned: settle('abandoned') };
  }

  view(): BreakerView {
    const state = this.#state;
    const atMs = this.#clock.monotonicMs();
    const window = state.kind === 'closed' ? state.window : emptyWindow;
    const counts = countsOf(window, { atMs, windowMs: this.#policy.windowMs });
    const retryInMs = state.kind === 'open' ? Math.max(0, state.untilMs - atMs) : 0;
    return { state: state.kind, retryInMs, calls: counts.total, failures: counts.marked };
  }

  #move(kind: BreakerEvent['kind']): void {
    const before = this.#state;
    this.#state = moveBreaker(before, { kind, atMs: this.#clock.monotonicMs() }, this.#policy);
    if (before.kind === this.#state.kind) return;
    this.#generation++;
    this.#moved(before.kind, this.#state.kind);
  }
}
