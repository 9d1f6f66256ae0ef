import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { ManualClock, systemClock } from '#base';
import { ledgerContract } from './contract.ts';
import { openSqliteLedger } from './sqlite.ts';
import { CellWatchers } from './watchers.ts';

const clock = new ManualClock();
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-ledger-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

ledgerContract('SQLite', async () => {
  const own = await mkdtemp(join(tmpdir(), 'understudy-ledger-'));
  return {
    reopen: () => openSqliteLedger({ file: join(own, 'made', 'on', 'demand', 'ledger.sqlite'), clock: systemClock }),
    dispose: () => rm(own, { recursive: true, force: true }),
  };
});

test('a second controller on the same file is refused at once', async () => {
  const file = join(folder, 'ledger.sqlite');
  const first = await openSqliteLedger({ file, clock });
  await assert.rejects(openSqliteLedger({ file, clock }), { code: 'LEDGER_IN_USE' });
  const other = child(
    `await openSqliteLedger({ file, clock: systemClock }).catch((error) => console.log(error.code, error.hint));`,
    file,
  );
  const [line] = await linesOf(other);
  assert.match(line ?? '', /^LEDGER_IN_USE one controller at a time/);
  await first.put('still', 'works', 0);
  await first.close();
  await (await openSqliteLedger({ file, clock })).close();
});

test('a file that is no database, another program’s, or damaged, is refused and kept', async () => {
  const text = join(folder, 'text');
  await writeFile(text, 'this is not a database, but long enough to be read as one\n'.repeat(40));
  await assert.rejects(openSqliteLedger({ file: text, clock }), { code: 'LEDGER_UNREADABLE' });

  const foreign = join(folder, 'foreign');
  const database = new DatabaseSync(foreign);
  database.exec('CREATE TABLE things (x)');
  database.close();
  await assert.rejects(openSqliteLedger({ file: foreign, clock }), { code: 'LEDGER_UNREADABLE' });

  const damaged = join(folder, 'damaged');
  const ledger = await openSqliteLedger({ file: damaged, clock });
  await ledger.append(
    'run/1',
    0,
    Array.from({ length: 200 }, () => ({ type: 'x', body: { filler: 'y'.repeat(500) } })),
  );
  await ledger.close();
  await truncate(damaged, 8_192);
  await assert.rejects(openSqliteLedger({ file: damaged, clock }), { code: 'LEDGER_UNREADABLE' });
});

test('a ledger of a newer program is refused', async () => {
  const file = join(folder, 'ledger.sqlite');
  await (await openSqliteLedger({ file, clock })).close();
  const database = new DatabaseSync(file);
  database.exec('PRAGMA user_version = 9');
  database.close();
  await assert.rejects(openSqliteLedger({ file, clock }), {
    code: 'LEDGER_NEWER_FORMAT',
    message: /format 9, this program knows formats up to 1/,
  });
});

test('a folder that cannot be made or written says so', async () => {
  await writeFile(join(folder, 'file'), '');
  await assert.rejects(openSqliteLedger({ file: join(folder, 'file', 'ledger.sqlite'), clock }), {
    code: 'LEDGER_UNWRITABLE',
  });
  await assert.rejects(openSqliteLedger({ file: folder, clock }), { code: 'LEDGER_UNWRITABLE' });
});

test('what a killed controller acknowledged is there, and its lock is gone', async () => {
  const file = join(folder, 'ledger.sqlite');
  const writer = child(
    `const ledger = await openSqliteLedger({ file, clock: systemClock });
     for (let at = 0; ; at++) {
       await ledger.append('run/1', at, [{ type: 'tick', body: { at } }], [{ key: 'at', value: at, expectedVersion: at }]);
       console.log(at + 1);
     }`,
    file,
  );
  const lines = await linesOf(writer, { killAfter: 40 });
  const acknowledged = Number(lines.at(-1));
  const ledger = await openSqliteLedger({ file, clock });
  const events = await ledger.read('run/1');
  assert.ok(acknowledged >= 40);
  assert.ok(events.length >= acknowledged, `${acknowledged} acknowledged, ${events.length} found`);
  assert.equal((await ledger.get('at'))?.version, events.length, 'the cell moved with the event');
  await ledger.close();
});

test('a copy of the file and its -wal is a whole ledger', async () => {
  const file = join(folder, 'ledger.sqlite');
  const ledger = await openSqliteLedger({ file, clock });
  await ledger.append('run/1', 0, [{ type: 'x', body: {} }]);
  await copyFile(file, join(folder, 'copy'));
  await copyFile(`${file}-wal`, join(folder, 'copy-wal'));
  await ledger.close();
  const copy = await openSqliteLedger({ file: join(folder, 'copy'), clock });
  assert.equal((await copy.read('run/1')).length, 1);
  await copy.close();
});

test('a watcher that does not read holds a bounded queue and still sees the newest state', async () => {
  const watchers = new CellWatchers({ keysMax: 2 });
  let listed = 0;
  const stop = new AbortController();
  const cells = watchers.watch('k', stop.signal, () => {
    listed++;
    return Promise.resolve([{ key: 'k', value: listed, version: listed }]);
  });
  assert.equal((await cells.next()).value?.version, 1);
  for (let version = 2; version < 10; version++) watchers.notify([{ key: 'k', value: version, version }]);
  assert.equal((await cells.next()).value?.version, 9, 'steps between are skipped');
  for (let index = 0; index < 100; index++) watchers.notify([{ key: `k${index}`, value: 0, version: 1 }]);
  assert.equal((await cells.next()).value?.version, 2, 'past the bound it lists again');
  stop.abort();
  assert.equal((await cells.next()).done, true);
  assert.equal(watchers.count, 0);
});

function child(body: string, file: string): ReturnType<typeof spawn> {
  const source = `
    import { openSqliteLedger } from ${JSON.stringify(import.meta.resolve('./sqlite.ts'))};
    import { systemClock } from ${JSON.stringify(import.meta.resolve('../base/mod.ts'))};
    const file = ${JSON.stringify(file)};
    ${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function linesOf(process: ReturnType<typeof spawn>, options: { killAfter?: number } = {}): Promise<string[]> {
  assert.ok(process.stdout);
  const lines: string[] = [];
  for await (const line of createInterface({ input: process.stdout })) {
    lines.push(line);
    if (lines.length === options.killAfter) process.kill('SIGKILL');
  }
  return lines;
}
