// Items that were accepted and not yet read back. Each is looked for at growing intervals; one that does not show up
// after settling is given up here and sent again from the journal, with the same ids and start times.

import { spanId, type ItemOutline, type SpanKey } from './item.ts';
import type { TelemetryLimits } from './limits.ts';

export interface ProofEntry {
  readonly outline: ItemOutline;
  /** Spans still to be found. */
  readonly missing: Map<string, SpanKey>;
  readonly sentAtMs: number;
  /** Since when the item could have been sent, for ages. */
  readonly sinceMs: number;
  reads: number;
  nextReadMs: number;
}

export class InProof {
  readonly #entries = new Map<number, ProofEntry>();
  readonly #limits: TelemetryLimits;
  #spans = 0;

  readonly #onAdd: () => void;

  constructor(limits: TelemetryLimits, onAdd: () => void) {
    this.#limits = limits;
    this.#onAdd = onAdd;
  }

  get spans(): number {
    return this.#spans;
  }

  get size(): number {
    return this.#entries.size;
  }

  get entries(): Iterable<ProofEntry> {
    return this.#entries.values();
  }

  has(sequence: number): boolean {
    return this.#entries.has(sequence);
  }

  /** `skip` names spans that are not looked for: those in quarantine. */
  add(outline: ItemOutline, times: { nowMs: number; sinceMs: number }, skip: (key: SpanKey) => boolean): void {
    const missing = new Map<string, SpanKey>();
    for (const key of outline.spans) if (!skip(key)) missing.set(spanId(key), key);
    this.#spans += missing.size;
    const nextReadMs = times.nowMs + this.#limits.proofFirstMs;
    this.#entries.set(outline.sequence, {
      outline,
      missing,
      sentAtMs: times.nowMs,
      sinceMs: times.sinceMs,
      reads: 0,
      nextReadMs,
    });
    if (missing.size === 0) this.#remove(outline.sequence);
    else this.#onAdd();
  }

  /** When the next read is due (monotonic ms); undefined when nothing is in proof. */
  get nextReadMs(): number | undefined {
    let next: number | undefined;
    for (const entry of this.#entries.values()) next = Math.min(next ?? Infinity, entry.nextReadMs);
    return next;
  }

  /** Spans due for a read now, those due soon included so that one read serves many. */
  due(nowMs: number): SpanKey[] {
    const soonMs = nowMs + this.#limits.proofFirstMs / 2;
    const keys: SpanKey[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.nextReadMs <= soonMs) keys.push(...entry.missing.values());
    }
    return keys;
  }

  readSoon(): void {
    for (const entry of this.#entries.values()) entry.nextReadMs = 0;
  }

  /** Takes in what a read of `asked` found; returns the items given up, which must be sent again. */
  learn(asked: readonly SpanKey[], found: ReadonlyMap<string, number>, nowMs: number): ProofEntry[] {
    const askedKeys = new Set(asked.map(spanId));
    const givenUp: ProofEntry[] = [];
    for (const entry of this.#entries.values()) {
      let wasAsked = false;
      for (const key of entry.missing.keys()) {
        if (askedKeys.has(key)) wasAsked = true;
        if (found.has(key) && entry.missing.delete(key)) this.#spans--;
      }
      if (entry.missing.size === 0) this.#remove(entry.outline.sequence);
      else if (wasAsked) this.#missed(entry, nowMs, givenUp);
    }
    return givenUp;
  }

  #missed(entry: ProofEntry, nowMs: number, givenUp: ProofEntry[]): void {
    const { proofFirstMs, proofMaxMs, settleReads, settleMs } = this.#limits;
    entry.reads++;
    entry.nextReadMs = nowMs + Math.min(proofMaxMs, proofFirstMs * 2 ** entry.reads);
    if (entry.reads < settleReads || nowMs - entry.sentAtMs < settleMs) return;
    this.#remove(entry.outline.sequence);
    givenUp.push(entry);
  }

  #remove(sequence: number): void {
    const entry = this.#entries.get(sequence);
    if (!entry) return;
    this.#entries.delete(sequence);
    this.#spans -= entry.missing.size;
  }
}
