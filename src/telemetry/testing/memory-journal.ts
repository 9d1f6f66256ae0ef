// A journal in memory for tests of this folder: sequences, durability in a later turn, release, the two refusals.

import { Failure } from '#base';
import type { Journal, JournalRecord, JournalState, NewRecord } from '#journal';

export class MemoryJournal implements Journal {
  records: JournalRecord[] = [];
  durableSequence = 0;
  bytesMax = 1_073_741_824;
  /** Set to make every append fail with this code. */
  refuseWith: string | undefined;
  /** While true nothing becomes durable. */
  stalled = false;
  failed: string | undefined;
  #nextSequence = 1;
  #bytes = 0;
  #waiters: (() => void)[] = [];
  #pending: { record: JournalRecord; resolve: () => void }[] = [];

  /** Appended and not durable yet. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** Readers that wait for more. */
  get followers(): number {
    return this.#waiters.length;
  }

  append(record: NewRecord): { readonly sequence: number; readonly durable: Promise<void> } {
    if (this.refuseWith !== undefined) {
      const durable = Promise.reject(new Failure(this.refuseWith, 'the journal takes nothing', { next: 'retry' }));
      return { sequence: this.#nextSequence, durable };
    }
    const sequence = this.#nextSequence++;
    // Bytes and meta are copied, as a disk would.
    const meta = JSON.parse(JSON.stringify(record.meta)) as Record<string, unknown>;
    const stored = { sequence, kind: record.kind, meta, body: Uint8Array.from(record.body ?? []) };
    const durable = new Promise<void>((resolve) => this.#pending.push({ record: stored, resolve }));
    queueMicrotask(() => this.sync());
    return { sequence, durable };
  }

  sync(): void {
    if (this.stalled) return;
    for (const { record, resolve } of this.#pending.splice(0)) {
      this.records.push(record);
      this.#bytes += record.body.length + 100;
      this.durableSequence = record.sequence;
      resolve();
    }
    for (const wake of this.#waiters.splice(0)) wake();
  }

  async *read(options: { afterSequence: number; signal?: AbortSignal }): AsyncIterable<JournalRecord> {
    const through = this.durableSequence;
    for (const record of this.records.slice()) {
      options.signal?.throwIfAborted();
      if (record.sequence > options.afterSequence && record.sequence <= through) yield record;
    }
  }

  async waitForMore(afterSequence: number, signal: AbortSignal): Promise<void> {
    while (this.durableSequence <= afterSequence && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
        const onAbort = (): void => {
          this.#waiters = this.#waiters.filter((waiter) => waiter !== resolve);
          resolve();
        };
        signal.addEventListener('abort', onAbort, { once: true });
      });
    }
  }

  async release(throughSequence: number): Promise<void> {
    this.records = this.records.filter((record) => record.sequence > throughSequence);
  }

  state(): JournalState {
    return {
      firstSequence: this.records[0]?.sequence ?? this.durableSequence + 1,
      durableSequence: this.durableSequence,
      bytes: this.#bytes,
      bytesMax: this.bytesMax,
      segments: 1,
      recovered: { records: 0, tornBytes: 0 },
      failed: this.failed,
    };
  }

  async close(): Promise<void> {}
}
