// Records that go to the disk together: one write, one fdatasync, one promise that all who wait share.

import type { NewRecord } from './port.ts';
import { encodeFrame, frameFlags } from './format.ts';
import type { SparseIndex } from './segment.ts';

export class Group {
  readonly buffers: Uint8Array[] = [];
  readonly durable: Promise<void>;
  readonly firstSequence: number;
  readonly #checksumSeed: number;
  readonly #places: { sequence: number; offset: number }[] = [];
  #bytes = 0;
  #count = 0;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(options: { firstSequence: number; checksumSeed: number }) {
    this.firstSequence = options.firstSequence;
    this.#checksumSeed = options.checksumSeed;
    this.durable = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A caller that needs only the sequence must not end the process when the disk fails.
    this.durable.catch(() => {});
  }

  get bytes(): number {
    return this.#bytes;
  }

  get lastSequence(): number {
    return this.firstSequence + this.#count - 1;
  }

  /** Adds the next record; returns its sequence. */
  add(record: NewRecord, meta: { text: string; bytes: number }): number {
    const sequence = this.firstSequence + this.#count;
    const parts = encodeFrame({
      sequence,
      kind: record.kind,
      flags: this.#count === 0 ? frameFlags.groupStart : 0,
      metaText: meta.text,
      metaBytes: meta.bytes,
      body: record.body,
      checksumSeed: this.#checksumSeed,
    });
    if (this.#bytes - (this.#places.at(-1)?.offset ?? -placeEveryBytes) >= placeEveryBytes)
      this.#places.push({ sequence, offset: this.#bytes });
    for (const part of parts) {
      this.buffers.push(part);
      this.#bytes += part.length;
    }
    this.#count++;
    return sequence;
  }

  /** Tells the index of the segment where the group's records lie, once they do. */
  noteIn(index: SparseIndex, groupOffset: number): void {
    for (const { sequence, offset } of this.#places) index.note(sequence, groupOffset + offset);
  }

  succeed(): void {
    this.#resolve();
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}

const placeEveryBytes = 65_536;
