import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, seededRandomness } from '#base';
import { frameFlags, segmentFileName } from './format.ts';
import { openJournal, type JournalOptions } from './journal.ts';
import type { Journal } from './port.ts';
import { CrashDisk } from './testing/crash-file-layer.ts';
import { verifyJournal } from './verify.ts';

const first = segmentFileName(1);

function open(disk: CrashDisk, options: Partial<JournalOptions> = {}): Promise<Journal> {
  return openJournal({
    directory: '/journal',
    files: disk.files(),
    clock: new ManualClock(),
    bytesMax: 2 ** 20,
    segmentBytesMax: 4_000,
    ...options,
  });
}

/** Groups of records of one kilobyte, as a process that is then killed leaves them. */
async function leave(disk: CrashDisk, groups: readonly number[], segmentBytesMax = 4_000): Promise<void> {
  const journal = await open(disk, { segmentBytesMax });
  for (const count of groups) {
    const appended = Array.from({ length: count }, (_, index) =>
      journal.append({ kind: 'otlp', meta: { index }, body: Buffer.alloc(1_000, index) }),
    );
    await appended.at(-1)?.durable;
  }
  disk.kill();
}

async function sequences(journal: Journal): Promise<number[]> {
  const found: number[] = [];
  for await (const { sequence } of journal.read({ afterSequence: 0 })) found.push(sequence);
  return found;
}

const frameLength = 1_000 + 22 + '{"index":0}'.length;
const offsetOf = (index: number): number => 64 + index * frameLength;

test('a torn tail is cut off at every byte, told, and written over by the next segment', async () => {
  for (let cut = 1; cut < frameLength; cut += 97) {
    const disk = new CrashDisk();
    await leave(disk, [1, 2]);
    const whole = disk.peek(first)!;
    assert.equal(whole.length, offsetOf(3));
    disk.poke(first, whole.subarray(0, whole.length - cut));
    const lines: string[] = [];
    const journal = await open(disk, { log: (line) => lines.push(line) });
    assert.deepEqual(journal.state().recovered, { records: 2, tornBytes: frameLength - cut });
    assert.match(lines.join(), /cut off \d+ torn bytes behind record 2/);
    assert.equal(disk.peek(first)?.length, offsetOf(2));
    assert.equal(journal.append({ kind: 'open', meta: {} }).sequence, 3);
    await journal.close();
    const again = await open(disk);
    assert.deepEqual(await sequences(again), [1, 2, 3]);
    assert.deepEqual(again.state().recovered, { records: 3, tornBytes: 0 });
    await again.close();
  }
});

test('a bad frame in the last group is a torn write, whatever lies behind it in that group', async () => {
  const disk = new CrashDisk();
  await leave(disk, [1, 2], 16_000);
  flip(disk, first, offsetOf(1) + 500);
  const journal = await open(disk);
  assert.deepEqual(await sequences(journal), [1]);
  await journal.close();
});

test('a flipped bit in what was acknowledged is refused by file and offset, at every place', async () => {
  for (let at = 0; at < offsetOf(2); at += 53) {
    const disk = new CrashDisk();
    await leave(disk, [1, 1, 1]);
    flip(disk, first, at);
    const offset = at < 64 ? 0 : at < offsetOf(1) ? offsetOf(0) : offsetOf(1);
    await assert.rejects(open(disk), { code: 'JOURNAL_CORRUPT', details: { file: `/journal/${first}`, offset } });
    const report = await verifyJournal('/journal', disk.files());
    assert.equal(report.verdict, 'fail');
    assert.match(report.findings[0]?.detail ?? '', new RegExp(`byte ${offset}:`));
  }
});

test('after a clean end a flipped bit in the very last record is seen too', async () => {
  const disk = new CrashDisk();
  const journal = await open(disk);
  await journal.append({ kind: 'open', meta: {}, body: Buffer.alloc(100) }).durable;
  await journal.close();
  flip(disk, first, 120);
  await assert.rejects(open(disk), { code: 'JOURNAL_CORRUPT' });
});

test('bytes inside a body that look like a frame are not taken for one', async () => {
  const disk = new CrashDisk();
  await leave(disk, [1]);
  // A frame of another journal with the sequence and flag that would pass for a later group.
  const other = new CrashDisk();
  await leave(other, [1, 1, 1]);
  const forged = other.peek(first)!.subarray(offsetOf(2), offsetOf(3));
  assert.equal(forged[17], frameFlags.groupStart);
  const journal = await open(disk);
  await journal.append({ kind: 'otlp', meta: {}, body: forged }).durable;
  disk.kill();
  const second = segmentFileName(2);
  flip(disk, second, 64 + 10);
  const again = await open(disk);
  assert.deepEqual(await sequences(again), [1]);
  await again.close();
});

test('a missing segment and a sequence gap are refused, never skipped', async () => {
  const disk = new CrashDisk();
  await leave(
    disk,
    Array.from({ length: 12 }, () => 1),
  );
  const names = disk.names();
  assert.equal(names.length, 4);
  disk.drop(names[1]!);
  await assert.rejects(open(disk), { code: 'JOURNAL_CORRUPT', message: /records 4 to 6 before it are missing/ });
  const report = await verifyJournal('/journal', disk.files());
  assert.equal(report.verdict, 'fail');
  assert.match(report.findings.map((each) => each.detail).join(), /begins with record 7 where 4 must follow/);
});

test('a segment cut short is refused unless the next one continues behind its last record', async () => {
  const disk = new CrashDisk();
  await leave(disk, [1, 1, 1, 1]);
  const whole = disk.peek(first)!;
  disk.poke(first, whole.subarray(0, whole.length - 1));
  await assert.rejects(open(disk), { code: 'JOURNAL_CORRUPT', message: /record 3|records 3 to 3/ });
  disk.poke(first, Buffer.concat([whole, Buffer.alloc(10)]));
  const journal = await open(disk);
  assert.deepEqual(await sequences(journal), [1, 2, 3, 4]);
  assert.equal(journal.state().recovered.tornBytes, 10);
  await journal.close();
});

test('a segment of a newer format is refused as such', async () => {
  const disk = new CrashDisk();
  await leave(disk, [1]);
  const bytes = Buffer.from(disk.peek(first)!);
  const { crc32c } = await import('./crc32c.ts');
  for (const change of [() => bytes.writeUInt16LE(2, 8), () => bytes.writeUInt32LE(1, 12)]) {
    change();
    bytes.writeUInt32LE(crc32c(bytes.subarray(0, 60)), 60);
    disk.poke(first, bytes);
    await assert.rejects(open(disk), { code: 'JOURNAL_NEWER_FORMAT' });
    bytes.writeUInt16LE(1, 8);
  }
});

test('files that are no segments are left alone, unfinished segments are removed', async () => {
  const disk = new CrashDisk();
  await leave(disk, [1]);
  disk.poke('notes.txt', Buffer.from('mine'));
  disk.poke(`${segmentFileName(2)}.new`, Buffer.from('half a hea'));
  const journal = await open(disk);
  assert.deepEqual(disk.names(), [first, segmentFileName(2), 'notes.txt']);
  assert.deepEqual(await sequences(journal), [1]);
  await journal.close();
});

test('the scrub passes a good journal, doubts a torn one, and changes neither', async () => {
  const disk = new CrashDisk();
  assert.equal((await verifyJournal('/journal', disk.files())).verdict, 'inconclusive');
  await leave(disk, [2, 2]);
  const good = await verifyJournal('/journal', disk.files());
  const { findings: _, ...summary } = good;
  const bytes = disk.names().reduce((sum, name) => sum + disk.peek(name)!.length, 0);
  assert.deepEqual(summary, { verdict: 'pass', segments: 2, records: 4, bytes, firstSequence: 1, lastSequence: 4 });
  const last = disk.names().at(-1)!;
  disk.poke(last, disk.peek(last)!.subarray(0, -3));
  const torn = await verifyJournal('/journal', disk.files());
  assert.equal(torn.verdict, 'inconclusive');
  assert.match(torn.findings.at(-1)?.detail ?? '', /a frame is cut off/);
  assert.equal(disk.names().length, 2);
});

test('random bytes are never taken for records, and never crash the reader', async () => {
  const randomness = seededRandomness(5);
  for (let round = 0; round < 50; round++) {
    const disk = new CrashDisk();
    await leave(disk, [1]);
    const noise = Buffer.from(randomness.bytes(Math.floor(randomness.fraction() * 3_000)));
    disk.poke(first, Buffer.concat([disk.peek(first)!, noise]));
    const journal = await open(disk);
    assert.deepEqual(await sequences(journal), [1]);
    await journal.close();
  }
});

function flip(disk: CrashDisk, name: string, at: number): void {
  const bytes = Buffer.from(disk.peek(name)!);
  bytes[at] = bytes[at]! ^ 0x10;
  disk.poke(name, bytes);
}
