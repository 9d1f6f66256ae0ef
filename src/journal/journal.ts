// The journal: appends are gathered while the disk works and go to it as one group, with one write and one fdatasync.
// A record's sequence is known at once; whoever needs its durability waits for the group's promise.

import { describeError, Failure, systemRandomness, type Clock, type Randomness } from '#base';
import { admit } from './admission.ts';
import { journalClosed, journalFailed, journalUnusable } from './errors.ts';
import type { FileLayer } from './file-layer.ts';
import { frameBytesFor } from './format.ts';
import { Group } from './group.ts';
import type { Journal, JournalRecord, JournalState, NewRecord } from './port.ts';
import { readRecords } from './reader.ts';
import { recover, type Recovered } from './recovery.ts';
import { SegmentStore } from './segment-store.ts';
import { Waiters } from './waiters.ts';

export interface JournalOptions {
  readonly directory: string;
  readonly files: FileLayer;
  readonly clock: Clock;
  /** For ids and checksum seeds; default the system's. */
  readonly randomness?: Randomness;
  /** Bound of all segments together. `part` may go over it by a 32nd, `close` by a 16th (each at least ½ and 1 MiB). */
  readonly bytesMax: number;
  /** A segment ends before it grows over this; at most a quarter of `bytesMax`. Default 64 MiB. */
  readonly segmentBytesMax?: number;
  /** Bound of what waits for the disk in memory; `part` and `close` may go over it likewise. Default 64 MiB. */
  readonly pendingBytesMax?: number;
  /** Told, in one line, what recovery cut off and why the journal failed. */
  readonly log?: (line: string) => void;
}

/** Records gathered into one write. */
const groupBytesMax = 4_194_304;
const bytesDefault = 67_108_864;

/**
 * Opens the journal, recovering what a crash left. Rejects with `JOURNAL_IN_USE`, `JOURNAL_CORRUPT`,
 * `JOURNAL_NEWER_FORMAT`, `JOURNAL_UNUSABLE`.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { directory, files, clock, randomness = systemRandomness } = options;
  let unlock: (() => Promise<void>) | undefined;
  try {
    await files.makeDirectory(directory);
    unlock = await files.lock(directory);
    const recovered = await recover(directory, files);
    const checksumSeed = Buffer.from(randomness.bytes(4)).readUInt32LE(0);
    const segmentBytesMax = Math.min(options.segmentBytesMax ?? bytesDefault, Math.floor(options.bytesMax / 4));
    const maker = { directory, files, clock, randomness, checksumSeed };
    const store = await SegmentStore.start(maker, recovered, { segmentBytesMax });
    if (recovered.tornBytes > 0) {
      const last = recovered.nextSequence - 1;
      options.log?.(`journal ${directory}: cut off ${recovered.tornBytes} torn bytes behind record ${last}`);
    }
    return new FileJournal({ store, recovered, unlock, options, segmentBytesMax });
  } catch (error) {
    await unlock?.();
    throw error instanceof Failure ? error : journalUnusable(directory, error);
  }
}

class FileJournal implements Journal {
  readonly #store: SegmentStore;
  readonly #recovered: Recovered;
  readonly #unlock: () => Promise<void>;
  readonly #options: JournalOptions;
  readonly #groupBytesMax: number;
  readonly #pendingBytesMax: number;
  readonly #waiters = new Waiters();
  /** Groups that wait, oldest first; the last one still takes records. */
  readonly #pending: Group[] = [];
  #pendingBytes = 0;
  #nextSequence: number;
  #durableSequence: number;
  #writing: Promise<void> | undefined;
  #failed: Failure | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: {
    store: SegmentStore;
    recovered: Recovered;
    unlock: () => Promise<void>;
    options: JournalOptions;
    segmentBytesMax: number;
  }) {
    this.#store = parts.store;
    this.#recovered = parts.recovered;
    this.#unlock = parts.unlock;
    this.#options = parts.options;
    this.#groupBytesMax = Math.min(groupBytesMax, Math.floor(parts.segmentBytesMax / 2));
    this.#pendingBytesMax = parts.options.pendingBytesMax ?? bytesDefault;
    this.#nextSequence = parts.recovered.nextSequence;
    this.#durableSequence = this.#nextSequence - 1;
  }

  get durableSequence(): number {
    return this.#durableSequence;
  }

  append(record: NewRecord): { readonly sequence: number; readonly durable: Promise<void> } {
    if (this.#failed) throw this.#failed;
    if (this.#closing) throw journalClosed();
    const text = JSON.stringify(record.meta);
    const metaBytes = Buffer.byteLength(text);
    const bytes = frameBytesFor(metaBytes, record.body?.length ?? 0);
    admit(
      record.kind,
      { bytes, metaBytes },
      {
        bytes: this.#store.bytes + this.#pendingBytes,
        bytesMax: this.#options.bytesMax,
        pendingBytes: this.#pendingBytes,
        pendingBytesMax: this.#pendingBytesMax,
      },
    );
    const group = this.#groupFor(bytes);
    const sequence = group.add(record, { text, bytes: metaBytes });
    this.#nextSequence = sequence + 1;
    this.#pendingBytes += bytes;
    this.#writing ??= this.#writeAll();
    return { sequence, durable: group.durable };
  }

  read(options: { afterSequence: number; signal?: AbortSignal }): AsyncIterable<JournalRecord> {
    return readRecords(this.#store, options);
  }

  waitForMore(afterSequence: number, signal: AbortSignal): Promise<void> {
    if (this.#durableSequence > afterSequence || signal.aborted) return Promise.resolve();
    if (this.#closing) return Promise.reject(journalClosed());
    return this.#waiters.wait(afterSequence, signal);
  }

  async release(throughSequence: number): Promise<void> {
    if (this.#closing) throw journalClosed();
    try {
      await this.#store.release(Math.min(throughSequence, this.#durableSequence));
    } catch (error) {
      throw journalUnusable(this.#options.directory, error);
    }
  }

  state(): JournalState {
    return {
      firstSequence: this.#store.firstSequence,
      durableSequence: this.#durableSequence,
      bytes: this.#store.bytes,
      bytesMax: this.#options.bytesMax,
      segments: this.#store.count,
      recovered: { records: this.#recovered.records, tornBytes: this.#recovered.tornBytes },
      failed: this.#failed?.message,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writing;
    this.#waiters.rejectAll(journalClosed());
    try {
      await this.#store.close({ seal: this.#failed === undefined });
    } finally {
      await this.#unlock();
    }
  }

  #groupFor(bytes: number): Group {
    const open = this.#pending.at(-1);
    if (open && open.bytes + bytes <= this.#groupBytesMax) return open;
    const group = new Group({ firstSequence: this.#nextSequence, checksumSeed: this.#store.checksumSeed });
    this.#pending.push(group);
    return group;
  }

  async #writeAll(): Promise<void> {
    // One turn of waiting gathers everything that is appended in the turn that woke the writer.
    await Promise.resolve();
    for (let group = this.#pending.shift(); group; group = this.#pending.shift()) {
      try {
        await this.#store.commit(group);
      } catch (error) {
        this.#fail(error, group);
        break;
      }
      this.#pendingBytes -= group.bytes;
      this.#durableSequence = group.lastSequence;
      group.succeed();
      this.#waiters.reached(this.#durableSequence);
    }
    // In the same turn as the last look at the queue, so that no append falls between.
    this.#writing = undefined;
  }

  /** After a failed write or sync nobody knows what is on the disk: only opening again finds out. */
  #fail(cause: unknown, group: Group): void {
    this.#failed = journalFailed(describeError(cause), cause);
    this.#options.log?.(`journal ${this.#options.directory}: ${this.#failed.message}`);
    for (const waiting of [group, ...this.#pending.splice(0)]) waiting.fail(this.#failed);
    this.#pendingBytes = 0;
  }
}
