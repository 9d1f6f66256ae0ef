// A journal in memory for the gateway's tests: durable at once, or when the test says so, or never.

import { Failure } from '#base';
import type { Journal, JournalRecord, JournalState, NewRecord } from '#journal';

export class MemoryJournal implements Journal {
  readonly records: JournalRecord[] = [];
  durableSequence = 0;
  /** Appends reject with this code from now on. */
  failing: string | undefined;
  /** Only records of these kinds fail. */
  failingKinds: readonly string[] = ['open', 'part', 'close'];
  /** Appends stay without an answer until `settle`. */
  holding = false;
  #held: (() => void)[] = [];

  append(record: NewRecord): { readonly sequence: number; readonly durable: Promise<void> } {
    if (this.failing !== undefined && this.failingKinds.includes(record.kind)) {
      throw new Failure(this.failing, 'the test wants the journal to fail');
    }
    const sequence = this.records.length + 1;
    // Copied, as a disk would: the caller may do with its buffer what it likes.
    const body = Uint8Array.from(record.body ?? []);
    this.records.push({ sequence, kind: record.kind, meta: structuredClone(record.meta), body });
    const { promise, resolve } = Promise.withResolvers<void>();
    const settle = (): void => {
      this.durableSequence = Math.max(this.durableSequence, sequence);
      resolve();
    };
    if (this.holding) this.#held.push(settle);
    else setImmediate(settle);
    return { sequence, durable: promise };
  }

  /** Makes everything durable that is waiting, and what comes after it at once. */
  settle(): void {
    this.holding = false;
    for (const settle of this.#held.splice(0)) settle();
  }

  async *read(options: { afterSequence: number }): AsyncIterable<JournalRecord> {
    for (const record of this.records) {
      if (record.sequence > options.afterSequence && record.sequence <= this.durableSequence) yield record;
    }
  }

  waitForMore(): Promise<void> {
    return Promise.resolve();
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  state(): JournalState {
    const bytes = this.records.reduce((total, record) => total + record.body.length, 0);
    return {
      firstSequence: 1,
      durableSequence: this.durableSequence,
      bytes,
      bytesMax: 1_000_000_000,
      segments: 1,
      recovered: { records: 0, tornBytes: 0 },
      failed: this.failing,
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  of(kind: NewRecord['kind']): JournalRecord[] {
    return this.records.filter((record) => record.kind === kind);
  }

  /** The answer of an exchange as its parts hold it. */
  answerOf(exchange: unknown): string {
    const parts = this.of('part').filter((record) => record.meta['exchange'] === exchange);
    return Buffer.concat(parts.map((record) => record.body)).toString('utf8');
  }
}
