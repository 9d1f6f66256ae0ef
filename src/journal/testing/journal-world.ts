// A journal on the crash layer, driven through several lives, with a memory of every promise it made. `die` and `reopen`
// compare what is read back with what was acknowledged.

import assert from 'node:assert/strict';
import { codeOf, ManualClock, seededRandomness, type Randomness } from '#base';
import { openJournal } from '../journal.ts';
import type { Journal, JournalRecord, NewRecord, RecordKind } from '../port.ts';
import { CrashDisk } from './crash-file-layer.ts';

const kinds: readonly RecordKind[] = ['open', 'part', 'close', 'otlp'];

export type JournalOp =
  | { readonly do: 'append'; readonly bodyBytes: number; readonly wait: boolean }
  | { readonly do: 'turns'; readonly count: number }
  | { readonly do: 'release'; readonly share: number }
  | { readonly do: 'fault'; readonly fault: 'write' | 'sync' | 'directory'; readonly nth: number }
  | { readonly do: 'close' | 'crash' | 'kill' }
  | { readonly do: 'crash-while-opening'; readonly turns: number };

interface Written {
  readonly record: NewRecord;
  acknowledged: boolean;
}

export class JournalWorld {
  readonly disk: CrashDisk;
  readonly #randomness: Randomness;
  /** By sequence: what the journal must, or may, give back. */
  readonly #written = new Map<number, Written>();
  #releasedThrough = 0;
  #journal: Journal | undefined;
  #made = 0;
  readonly counts = { acknowledged: 0, lives: 0 };

  constructor(options: { seed: number; ignoreSync: boolean }) {
    this.disk = new CrashDisk({ ignoreSync: options.ignoreSync });
    this.#randomness = seededRandomness(options.seed);
  }

  async run(op: JournalOp): Promise<void> {
    switch (op.do) {
      case 'append':
        await this.#append(op);
        break;
      case 'turns':
        await turns(op.count);
        break;
      case 'release':
        await this.#release(op.share);
        break;
      case 'fault':
        this.#order(op);
        break;
      case 'close':
        await this.#journal?.close();
        await this.reopen();
        break;
      case 'crash':
        this.disk.crash(this.#randomness);
        await this.reopen();
        break;
      case 'kill':
        this.disk.kill();
        await this.reopen();
        break;
      case 'crash-while-opening':
        this.disk.kill();
        // Whether it gets as far as opening or not: its machine dies.
        await Promise.race([this.#open().catch(() => {}), turns(op.turns)]);
        this.disk.crash(this.#randomness);
        await this.reopen();
        break;
    }
  }

  /** Opens until the disk lets it, then checks every promise. */
  async reopen(): Promise<void> {
    this.counts.lives++;
    for (let attempt = 0; ; attempt++) {
      try {
        this.#journal = await this.#open();
        break;
      } catch (error) {
        if (codeOf(error) !== 'JOURNAL_UNUSABLE' || attempt === 8) throw error;
        this.disk.kill();
      }
    }
    await this.#check(this.#journal);
  }

  #open(): Promise<Journal> {
    const clock = new ManualClock();
    const randomness = seededRandomness(this.#randomness.fraction() * 2 ** 32);
    return openJournal({
      directory: '/journal',
      files: this.disk.files(),
      clock,
      randomness,
      bytesMax: 2 ** 26,
      segmentBytesMax: 6_000,
    });
  }

  async #append(op: { bodyBytes: number; wait: boolean }): Promise<void> {
    const made = this.#made++;
    const record: NewRecord = {
      kind: kinds[made % kinds.length] ?? 'open',
      meta: { made },
      body: this.#randomness.bytes(op.bodyBytes),
    };
    try {
      const { sequence, durable } = this.#journal!.append(record);
      const written: Written = { record, acknowledged: false };
      this.#written.set(sequence, written);
      const acknowledged = durable.then(() => {
        written.acknowledged = true;
        this.counts.acknowledged++;
      });
      if (op.wait) await acknowledged;
      else acknowledged.catch(() => {});
    } catch (error) {
      assert.equal(codeOf(error), 'JOURNAL_FAILED');
    }
  }

  async #release(share: number): Promise<void> {
    const through = Math.floor(this.#journal!.durableSequence * share);
    // Any part of it may have happened when the machine dies in the middle.
    this.#releasedThrough = Math.max(this.#releasedThrough, through);
    await this.#journal!.release(through).catch((error: unknown) => assert.equal(codeOf(error), 'JOURNAL_UNUSABLE'));
  }

  #order(op: { fault: 'write' | 'sync' | 'directory'; nth: number }): void {
    const { faults } = this.disk;
    if (op.fault === 'write') faults.failWrite = { nth: op.nth, code: op.nth % 2 ? 'EIO' : 'ENOSPC' };
    else if (op.fault === 'sync') faults.failSync = { nth: op.nth, code: 'EIO' };
    else faults.failDirectorySync = { nth: op.nth };
  }

  async #check(journal: Journal): Promise<void> {
    const records: JournalRecord[] = [];
    for await (const record of journal.read({ afterSequence: 0 })) records.push(record);
    const first = records[0]?.sequence ?? journal.durableSequence + 1;
    assert.ok(first <= this.#releasedThrough + 1, `records before ${first} were never released`);
    records.forEach((record, index) => this.#checkRecord(record, first + index));
    const last = first + records.length - 1;
    assert.equal(journal.durableSequence, last);
    for (const [sequence, { acknowledged }] of this.#written) {
      if (sequence <= last) continue;
      assert.equal(acknowledged, false, `record ${sequence} was acknowledged and is lost; the last one is ${last}`);
      this.#written.delete(sequence);
    }
    // What was read once is promised from now on.
    for (const { sequence } of records) this.#written.get(sequence)!.acknowledged = true;
  }

  #checkRecord(record: JournalRecord, sequence: number): void {
    assert.equal(record.sequence, sequence, 'sequences have no gap');
    const written = this.#written.get(sequence);
    assert.ok(written, `record ${sequence} was never appended`);
    assert.equal(record.kind, written.record.kind);
    assert.deepEqual(record.meta, written.record.meta);
    assert.ok(Buffer.from(written.record.body ?? []).equals(record.body), `body of record ${sequence}`);
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
