import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, ManualClock } from '#base';
import { openJournal, type JournalOptions } from './journal.ts';
import type { Journal, JournalRecord, RecordKind } from './port.ts';
import { CrashDisk } from './testing/crash-file-layer.ts';

function open(disk: CrashDisk, options: Partial<JournalOptions> = {}): Promise<Journal> {
  return openJournal({
    directory: '/journal',
    files: disk.files(),
    clock: new ManualClock(),
    bytesMax: 2 ** 24,
    ...options,
  });
}

async function all(journal: Journal, afterSequence = 0): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of journal.read({ afterSequence })) records.push(record);
  return records;
}

function record(bytes: number, kind: RecordKind = 'open') {
  return { kind, meta: { of: bytes }, body: Buffer.alloc(bytes, 'x') };
}

test('records come back as they went in, from any place, and only durable ones', async () => {
  const journal = await open(new CrashDisk());
  const meta = { exchange: 'xc_1', text: 'Grüße \u0000 "', nested: { list: [1, null] } };
  const first = journal.append({ kind: 'open', meta, body: Buffer.from([0, 1, 2]) });
  const second = journal.append({ kind: 'close', meta: {} });
  assert.deepEqual([first.sequence, second.sequence], [1, 2]);
  assert.deepEqual(await all(journal), []);
  await second.durable;
  const [one, two] = await all(journal);
  assert.deepEqual({ ...one, body: [...(one?.body ?? [])] }, { sequence: 1, kind: 'open', meta, body: [0, 1, 2] });
  assert.equal(two?.body.length, 0);
  assert.deepEqual(
    (await all(journal, 1)).map((each) => each.sequence),
    [2],
  );
  await journal.close();
});

test('what is appended while the disk works shares one write and one sync, and resolves in order', async () => {
  const disk = new CrashDisk();
  const journal = await open(disk, { bytesMax: 2 ** 26 });
  const before = { ...disk.counts };
  const order: number[] = [];
  const appended = Array.from({ length: 500 }, () => journal.append(record(6_000)));
  await Promise.all(appended.map(({ sequence, durable }) => durable.then(() => order.push(sequence))));
  assert.equal(disk.counts.syncs - before.syncs, 1);
  assert.equal(disk.counts.writes - before.writes, 1);
  assert.deepEqual(
    order,
    appended.map((each) => each.sequence),
  );
  assert.equal(journal.durableSequence, 500);
  await journal.close();
});

test('reading from the middle of a large segment skips to a mark', async () => {
  const disk = new CrashDisk();
  const journal = await open(disk);
  for (let group = 0; group < 20; group++) {
    for (let index = 0; index < 30; index++) journal.append(record(9_000));
    await journal.append(record(10)).durable;
  }
  assert.deepEqual(
    (await all(journal, 600)).map((each) => each.sequence),
    Array.from({ length: 20 }, (_, index) => 601 + index),
  );
  await journal.close();
  const again = await open(disk);
  assert.equal((await all(again, 615)).length, 5);
  assert.equal(again.state().recovered.records, 620);
  await again.close();
});

test('segments follow each other, and are released whole, never the open one', async () => {
  const disk = new CrashDisk();
  const journal = await open(disk, { segmentBytesMax: 10_000 });
  for (let index = 0; index < 10; index++) await journal.append(record(4_000)).durable;
  assert.equal(journal.state().segments, 5);
  await journal.release(5);
  assert.equal(journal.state().firstSequence, 5);
  await journal.release(1_000);
  assert.deepEqual(disk.names(), ['00000000000000000009.seg']);
  assert.deepEqual(
    (await all(journal)).map((each) => each.sequence),
    [9, 10],
  );
  const { bytes } = journal.state();
  assert.equal(bytes, disk.peek('00000000000000000009.seg')?.length);
  await journal.close();
  const again = await open(disk);
  assert.equal(again.append(record(1)).sequence, 11);
  await again.close();
});

test('an emptied journal goes on counting', async () => {
  const disk = new CrashDisk();
  let journal = await open(disk);
  await journal.append(record(1)).durable;
  await journal.close();
  journal = await open(disk);
  await journal.release(1);
  await journal.close();
  journal = await open(disk);
  assert.deepEqual(await all(journal), []);
  assert.equal(journal.append(record(1)).sequence, 2);
  await journal.close();
});

test('a reader survives the release of what it has not reached', async () => {
  const journal = await open(new CrashDisk(), { segmentBytesMax: 10_000 });
  for (let index = 0; index < 10; index++) await journal.append(record(4_000)).durable;
  const seen: number[] = [];
  for await (const { sequence } of journal.read({ afterSequence: 0 })) {
    if (sequence === 1) await journal.release(6);
    seen.push(sequence);
  }
  // The file it had open is read to its end; then come the ones that are left.
  assert.deepEqual(seen, [1, 2, 7, 8, 9, 10]);
  await journal.close();
});

test('waiting for more resolves on the next durable record, on abort, and ends when the journal closes', async () => {
  const journal = await open(new CrashDisk());
  const stop = new AbortController();
  const waiting = journal.waitForMore(0, stop.signal);
  await journal.append(record(1)).durable;
  await waiting;
  await journal.waitForMore(0, stop.signal);
  const aborted = journal.waitForMore(1, stop.signal);
  stop.abort();
  await aborted;
  const closing = assert.rejects(journal.waitForMore(1, new AbortController().signal), { code: 'JOURNAL_CLOSED' });
  await journal.close();
  await closing;
  await journal.close();
  assert.throws(() => journal.append(record(1)), { code: 'JOURNAL_CLOSED' });
});

test('a full journal refuses new exchanges and keeps room to end the open ones', async () => {
  const bytesMax = 4_194_304;
  const journal = await open(new CrashDisk(), { bytesMax });
  const fill = async (kind: RecordKind, bodyBytes: number): Promise<void> => {
    for (;;) await journal.append(record(bodyBytes, kind)).durable;
  };
  await assert.rejects(fill('open', 60_000), { code: 'JOURNAL_FULL' });
  await assert.rejects(fill('part', 60_000), { code: 'JOURNAL_FULL' });
  assert.ok(journal.state().bytes > bytesMax);
  for (let index = 0; index < 400; index++) await journal.append(record(1_000, 'close')).durable;
  assert.throws(() => journal.append(record(10, 'otlp')), { code: 'JOURNAL_FULL' });
  const closes = assert.rejects(fill('close', 60_000), { code: 'JOURNAL_FULL' });
  await closes;
  assert.ok(journal.state().bytes <= bytesMax + 1_048_576);
  await journal.release(journal.durableSequence);
  await journal.append(record(10)).durable;
  await journal.close();
});

test('too much waiting for the disk is refused, one record that is alone never', async () => {
  const journal = await open(new CrashDisk(), { pendingBytesMax: 10_000 });
  const alone = journal.append(record(20_000));
  assert.throws(() => journal.append(record(10)), { code: 'JOURNAL_BUSY', next: 'retry' });
  journal.append(record(10, 'close'));
  await alone.durable;
  await journal.append(record(10)).durable;
  await journal.close();
});

test('a record over the format’s bound is refused and leaves no gap', async () => {
  const journal = await open(new CrashDisk(), { bytesMax: 2 ** 30 });
  assert.throws(() => journal.append({ kind: 'open', meta: {}, body: Buffer.allocUnsafe(67_108_864) }), {
    code: 'JOURNAL_RECORD_TOO_LARGE',
  });
  assert.throws(() => journal.append({ kind: 'open', meta: { text: 'x'.repeat(1_048_576) } }), {
    code: 'JOURNAL_RECORD_TOO_LARGE',
  });
  assert.equal(journal.append(record(1)).sequence, 1);
  await journal.close();
});

for (const [fault, order] of [
  ['a failed fdatasync', { failSync: { nth: 1, code: 'EIO' } }],
  ['a full disk', { failWrite: { nth: 1, code: 'ENOSPC' } }],
] as const) {
  test(`${fault} fails everything that waits and everything after, until the journal is opened again`, async () => {
    const disk = new CrashDisk();
    const lines: string[] = [];
    const journal = await open(disk, { log: (line) => lines.push(line) });
    await journal.append(record(1)).durable;
    const waiting = journal.append(record(2));
    Object.assign(disk.faults, structuredClone(order));
    await assert.rejects(waiting.durable, { code: 'JOURNAL_FAILED' });
    assert.throws(() => journal.append(record(3)), { code: 'JOURNAL_FAILED' });
    assert.match(journal.state().failed ?? '', /EIO|ENOSPC/);
    assert.equal(lines.length, 1);
    assert.equal(journal.durableSequence, 1);
    assert.deepEqual(
      (await all(journal)).map((each) => each.sequence),
      [1],
    );
    await journal.close();
    const again = await open(disk);
    assert.equal(again.state().failed, undefined);
    await again.append(record(4)).durable;
    await again.close();
  });
}

test('a failure nobody waits for ends no process', async () => {
  const disk = new CrashDisk();
  const journal = await open(disk);
  journal.append(record(1));
  disk.faults.failSync = { nth: 1, code: 'EIO' };
  await journal.close();
  assert.equal(journal.state().durableSequence, 0);
});

test('a second opening is refused while the first lasts', async () => {
  const disk = new CrashDisk();
  const journal = await open(disk);
  await assert.rejects(open(disk), { code: 'JOURNAL_IN_USE' });
  await journal.close();
  await (await open(disk)).close();
});

test('a folder that cannot be used says so', async () => {
  const disk = new CrashDisk();
  disk.faults.failSync = { nth: 1, code: 'EIO' };
  const error: unknown = await open(disk).catch((thrown: unknown) => thrown);
  assert.equal(codeOf(error), 'JOURNAL_UNUSABLE');
  await (await open(disk)).close();
});
