// The side of the lease that acts: what a site knows of its role, and until when it may act. A process that sees a higher
// epoch drops the lower at once; without a lease it answers in no-write mode.

import { compareEpochs, type Clock, type Epoch, type Role, type Site } from '#base';
import { clockRateAllowance, holderValidityMs, isLaterUnderSameEpoch } from './lease-rules.ts';

/** Made before a request is sent; the lease counts from then. */
export interface RequestToken {
  readonly sentAtMs: number;
}

export interface Grant {
  readonly epoch: Epoch;
  readonly role: Role;
  readonly ttlMs: number;
}

/** What the site knows. `unheard`: nothing from the ledger since this process started. A role is never read from disk. */
export type HolderState =
  | { readonly phase: 'unheard' }
  | {
      readonly phase: 'heard';
      readonly epoch: Epoch;
      readonly role: Role;
      /** `none`: none under this epoch; `lapsed`: it had one. */
      readonly lease: 'none' | 'held' | 'lapsed';
      /** How much longer the site may act, milliseconds; 0 unless held. */
      readonly remainingMs: number;
    };

type Known =
  | { readonly phase: 'unheard' }
  | { readonly phase: 'heard'; readonly epoch: Epoch; readonly role: Role; readonly validUntilMs: number | undefined };

export class LeaseHolder {
  readonly site: Site;
  readonly #clock: Clock;
  readonly #allowance: number;
  readonly #listeners = new Set<(state: HolderState) => void>();
  #known: Known = { phase: 'unheard' };
  #told = '';
  #cancelTimer: (() => void) | undefined;

  constructor(options: {
    clock: Clock;
    site: Site;
    /** Takes a safety away, so that a test can show that it is needed. Never set otherwise. */
    weakenedForTests?: { readonly clockRateAllowance?: number };
  }) {
    this.site = options.site;
    this.#clock = options.clock;
    this.#allowance = options.weakenedForTests?.clockRateAllowance ?? clockRateAllowance;
    this.#told = keyOf(this.state());
  }

  /** Call before the request leaves: time on the wire is taken from the lease, never added to it. */
  requestStarted(): RequestToken {
    return { sentAtMs: this.#clock.monotonicMs() };
  }

  /** The answer to that request granted a lease. An answer under an older epoch is ignored. */
  granted(token: RequestToken, grant: Grant): void {
    this.#learn(grant.epoch, grant.role);
    const known = this.#known;
    if (known.phase === 'heard' && known.role === 'active' && compareEpochs(known.epoch, grant.epoch) === 0) {
      const validUntilMs = token.sentAtMs + holderValidityMs(grant.ttlMs, this.#allowance);
      this.#known = { ...known, validUntilMs: Math.max(known.validUntilMs ?? 0, validUntilMs) };
    }
    this.#tell();
  }

  /** An epoch and role came to be known, from any source. A higher epoch ends the lease; a lower one is ignored. */
  observe(epoch: Epoch, role: Role): void {
    this.#learn(epoch, role);
    this.#tell();
  }

  /** Whether an act may start that ends within `deadlineMs`. Ask again in the same turn as the write. */
  mayAct(deadlineMs = 0): boolean {
    const known = this.#known;
    if (known.phase === 'unheard' || known.role !== 'active' || known.validUntilMs === undefined) return false;
    return this.#clock.monotonicMs() + deadlineMs < known.validUntilMs;
  }

  state(): HolderState {
    const known = this.#known;
    if (known.phase === 'unheard') return known;
    const { epoch, role, validUntilMs } = known;
    if (validUntilMs === undefined) return { phase: 'heard', epoch, role, lease: 'none', remainingMs: 0 };
    const remainingMs = Math.max(0, validUntilMs - this.#clock.monotonicMs());
    return { phase: 'heard', epoch, role, lease: remainingMs > 0 ? 'held' : 'lapsed', remainingMs };
  }

  /** Calls the listener when epoch, role, or having a lease changes, its lapse included. Returns how to stop it. */
  onChange(listener: (state: HolderState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#listeners.clear();
  }

  #learn(epoch: Epoch, role: Role): void {
    const known = this.#known;
    if (known.phase === 'heard') {
      const order = compareEpochs(epoch, known.epoch);
      if (order < 0) return;
      if (order === 0) {
        // Answers can overtake each other: under one epoch a role only goes forward.
        if (isLaterUnderSameEpoch(known.role, role)) this.#known = { ...known, role };
        return;
      }
    }
    this.#known = { phase: 'heard', epoch, role, validUntilMs: undefined };
  }

  #tell(): void {
    const state = this.state();
    this.#watchForLapse(state);
    if (keyOf(state) === this.#told) return;
    this.#told = keyOf(state);
    for (const listener of this.#listeners) listener(state);
  }

  /** One timer at a time; when it fires early because the lease was renewed, it is set again. */
  #watchForLapse(state: HolderState): void {
    if (this.#cancelTimer || state.phase === 'unheard' || state.lease !== 'held') return;
    this.#cancelTimer = this.#clock.after(Math.max(1, Math.ceil(state.remainingMs)), () => {
      this.#cancelTimer = undefined;
      this.#tell();
    });
  }
}

function keyOf(state: HolderState): string {
  if (state.phase === 'unheard') return 'unheard';
  return `${state.epoch.generation}.${state.epoch.number} ${state.role} ${state.lease}`;
}
