import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { systemClock } from '#base';
import { nodeFileLayer } from './file-layer.ts';
import { openJournal } from './journal.ts';
import { lockDirectory } from './lock.ts';
import type { Journal, JournalRecord } from './port.ts';
import { verifyJournal } from './verify.ts';

const files = nodeFileLayer();
let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-journal-'));
});
after(() => rm(root, { recursive: true, force: true }));

function open(directory: string): Promise<Journal> {
  return openJournal({ directory, files, clock: systemClock, bytesMax: 2 ** 26, segmentBytesMax: 200_000 });
}

async function all(journal: Journal): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of journal.read({ afterSequence: 0 })) records.push(record);
  return records;
}

test('more buffers than one writev takes, in private files of a folder made on demand', async () => {
  const directory = join(root, 'a', 'b', 'journal');
  const journal = await open(directory);
  const large = Buffer.alloc(5_000, 'body');
  const appended = Array.from({ length: 3_000 }, (_, index) =>
    journal.append({ kind: 'part', meta: { index }, body: index < 20 ? large : Buffer.from([index % 256]) }),
  );
  await appended.at(-1)?.durable;
  const records = await all(journal);
  assert.equal(records.length, 3_000);
  assert.ok(large.equals(records[19]!.body));
  assert.equal(records[2_999]?.meta['index'], 2_999);
  for (const name of await readdir(directory)) assert.equal((await stat(join(directory, name))).mode & 0o077, 0, name);
  await journal.close();
  assert.equal((await verifyJournal(directory)).verdict, 'pass');
  assert.deepEqual(
    (await readdir(directory)).filter((name) => !name.endsWith('.seg')),
    [],
  );
});

test('whatever a killed process acknowledged is read back, unchanged and once', async () => {
  const directory = join(root, 'killed');
  let acknowledged = 0;
  for (const killAfterLines of [1, 7, 30]) {
    const writer = spawnWriter(directory);
    const gone = once(writer, 'exit');
    for await (const line of createInterface({ input: writer.stdout! })) {
      acknowledged = Number(line);
      if (acknowledged >= killAfterLines * 20) writer.kill('SIGKILL');
    }
    await gone; // its output ends a moment before the process does, and until then it holds the lock
    const journal = await open(directory);
    const records = await all(journal);
    assert.ok(records.length >= acknowledged, `${acknowledged} acknowledged, ${records.length} found`);
    records.forEach((record, index) => {
      assert.equal(record.sequence, index + 1);
      assert.equal(record.meta['for'], index + 1);
      assert.equal(record.body.length, (record.sequence * 37) % 9_000);
      assert.ok(record.body.every((byte) => byte === record.sequence % 256));
    });
    await journal.close();
  }
  assert.ok(acknowledged >= 600);
});

test('the lock: living holder, killed holder, reused process id, another boot, another host', async () => {
  const directory = join(root, 'locked');
  await files.makeDirectory(directory);
  const unlock = await lockDirectory(directory);
  await assert.rejects(lockDirectory(directory), { code: 'JOURNAL_IN_USE', message: new RegExp(`${process.pid}`) });
  const [name = ''] = await readdir(directory);
  await unlock();
  assert.deepEqual(await readdir(directory), []);
  const [word, pid, started, boot, host] = name.split('~');
  const claim = (parts: unknown[]): Promise<void> => writeFile(join(directory, [word, ...parts, 'x'].join('~')), '');
  await claim([(await ended()).pid, started, boot, host]);
  await claim([pid, '1', boot, host]);
  await claim([pid, started, 'before', host]);
  await (
    await lockDirectory(directory)
  )();
  assert.deepEqual(await readdir(directory), []);
  await claim([pid, started, 'before', `${host}-other`]);
  await assert.rejects(lockDirectory(directory), { code: 'JOURNAL_IN_USE', message: /if that host is gone for good/ });
});

test('of attempts at the same moment on a stale lock one wins at most, and the next one does', async () => {
  const directory = join(root, 'contended');
  await files.makeDirectory(directory);
  await writeFile(join(directory, `lock~${(await ended()).pid}~1~before~${hostname()}~x`), '');
  for (let round = 0; round < 20; round++) {
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => lockDirectory(directory)));
    const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
    assert.ok(won.length <= 1, `${won.length} processes would write`);
    for (const unlock of won) await unlock();
    await (
      await lockDirectory(directory)
    )();
  }
});

test('a journal of format 1 is read as it was written', async () => {
  const fixture = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'journal', 'v1');
  const directory = join(root, 'fixture');
  await cp(fixture, directory, { recursive: true });
  const expected = JSON.parse(await readFile(join(fixture, 'expected.json'), 'utf8')) as unknown[];
  assert.equal((await verifyJournal(directory)).verdict, 'pass');
  const journal = await open(directory);
  const found = (await all(journal)).map((record) => ({
    ...record,
    body: Buffer.from(record.body).toString('base64'),
  }));
  assert.deepEqual(found, expected);
  assert.equal(journal.append({ kind: 'open', meta: {} }).sequence, expected.length + 1);
  await journal.close();
});

test('a file where the folder should be says so', async () => {
  const path = join(root, 'file');
  await writeFile(path, '');
  await assert.rejects(open(path), { code: 'JOURNAL_UNUSABLE' });
});

/** Appends for ever, printing each sequence that has become durable. */
function spawnWriter(directory: string): ChildProcess {
  const source = `
    import { openJournal } from ${JSON.stringify(import.meta.resolve('./journal.ts'))};
    import { nodeFileLayer } from ${JSON.stringify(import.meta.resolve('./file-layer.ts'))};
    import { systemClock } from ${JSON.stringify(import.meta.resolve('../base/mod.ts'))};
    const journal = await openJournal({ directory: ${JSON.stringify(directory)}, files: nodeFileLayer(),
      clock: systemClock, bytesMax: 2 ** 26, segmentBytesMax: 200_000 });
    let next = journal.durableSequence + 1;
    const append = async () => {
      for (;;) {
        const body = Buffer.alloc((next * 37) % 9_000, next % 256);
        const { sequence, durable } = journal.append({ kind: 'otlp', meta: { for: next++ }, body });
        await durable;
        process.stdout.write(sequence + '\\n');
      }
    };
    await Promise.all([append(), append(), append(), append()]);`;
  return spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** A process that is no more. */
async function ended(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  return child;
}
