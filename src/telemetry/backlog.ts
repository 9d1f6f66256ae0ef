// What a destination must be given from the journal: after a start, an overflow, or when spans could not be read back.
// A stretch at a time is outlined, looked for at the destination, and only what is not there is rendered and sent.

import type { Journal } from '#journal';
import { outlineStretch, renderItems, type Interrupted, type OutlinedItem } from './catch-up.ts';
import type { Health } from './health.ts';
import { spanId, type SpanKey } from './item.ts';
import { Ranges, type Range } from './ranges.ts';
import { readBack } from './read-back.ts';
import type { Due, Sender, SenderParts } from './sender.ts';
import type { Waker } from './waiting.ts';

export interface BacklogParts extends SenderParts {
  readonly journal: Journal;
  readonly interrupted: Interrupted;
  readonly stamp?: string;
}

export interface BacklogState {
  readonly sender: Sender;
  readonly reads: Health;
  readonly waker: Waker;
  /** Somebody else has this item in hand: it runs, waits, or is in proof. */
  readonly owned: (sequence: number) => boolean;
}

export class Backlog {
  readonly #parts: BacklogParts;
  readonly #state: BacklogState;
  readonly #ranges = new Ranges();
  #current: Range | undefined;

  constructor(parts: BacklogParts, state: BacklogState) {
    this.#parts = parts;
    this.#state = state;
  }

  get empty(): boolean {
    return this.#ranges.first === undefined;
  }

  /** What is still to be done, the stretch in work included. */
  get ranges(): readonly Range[] {
    return this.#current ? [this.#current, ...this.#ranges.list] : this.#ranges.list;
  }

  add(range: Range): void {
    this.#ranges.add(range);
    this.#state.waker.wake();
  }

  /** Deals with the first items of the oldest range. On any failure the range stands as before. */
  async step(signal: AbortSignal): Promise<void> {
    const range = this.#ranges.take();
    if (!range) return;
    this.#current = range;
    let rest: Range | undefined = range;
    try {
      rest = await this.#catchUp(range, signal);
    } finally {
      if (rest) this.#ranges.add(rest);
      this.#current = undefined;
    }
  }

  async #catchUp(range: Range, signal: AbortSignal): Promise<Range | undefined> {
    const { limits, quarantine } = this.#parts;
    const reading = { ...this.#parts, signal, itemsMax: limits.catchUpItemsMax, skip: this.#state.owned };
    const stretch = await outlineStretch(range, reading);
    const counts = (key: SpanKey): boolean => !quarantine.has(key);
    const wanted = stretch.items.filter(({ outline }) => outline.spans.some(counts));
    const found = await this.#alreadyThere(wanted, signal);
    if (!found) return range;
    const missing = wanted.filter(({ outline }) => outline.spans.some((key) => counts(key) && !found.has(spanId(key))));
    if (!(await this.#send(missing, range, signal))) return range;
    if (stretch.through >= range.through) return undefined;
    const fromMs = Math.max(range.fromMs, (stretch.lastAtMs ?? 0) - limits.startSlackMs);
    return { ...range, after: stretch.through, fromMs };
  }

  /** What the destination has already; undefined: ask again later. Reads that stay down do not stop the sending. */
  async #alreadyThere(wanted: readonly OutlinedItem[], signal: AbortSignal): Promise<Map<string, number> | undefined> {
    const { reads, waker } = this.#state;
    if (wanted.length === 0 || reads.down) return new Map();
    await reads.ready(waker, signal);
    try {
      const keys = wanted.flatMap(({ outline }) => outline.spans);
      const found = await readBack(keys, { ...this.#parts, signal });
      reads.succeeded();
      return found;
    } catch (error) {
      signal.throwIfAborted();
      reads.failed(error);
      return undefined;
    }
  }

  async #send(missing: readonly OutlinedItem[], range: Range, signal: AbortSignal): Promise<boolean> {
    const { limits } = this.#parts;
    let chunk: Due[] = [];
    let bytes = 0;
    // A quarter of the fold's memory: the live fold has its own, and there is one backlog per destination.
    for await (const item of renderItems(missing, { ...this.#parts, signal, bytesMax: limits.foldBytesMax / 4 })) {
      chunk.push({ item, sinceMs: range.sinceMs });
      bytes += item.bytes;
      if (bytes < limits.batchBytesMax) continue;
      if (!(await this.#state.sender.send(chunk, signal))) return false;
      chunk = [];
      bytes = 0;
    }
    return chunk.length === 0 || this.#state.sender.send(chunk, signal);
  }
}
