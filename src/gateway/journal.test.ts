// The gateway on the journal it runs on: records on a real disk, read back after the journal was closed and opened.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#base';
import { nodeFileLayer, openJournal, type Journal, type JournalRecord } from '#journal';
import { recoverInterrupted } from './mod.ts';
import { chat, startFixture } from './testing/fixture.ts';
import { chunkEvent, complete, eventsThen, roleEvent } from './testing/scripted-upstream.ts';

const bytesMax = 67_108_864;

async function recordsOf(journal: Journal): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of journal.read({ afterSequence: 0 })) records.push(record);
  return records;
}

test('what was answered, and what was cut, is read back from the disk', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-gateway-'));
  const open = (): Promise<Journal> => openJournal({ directory, files: nodeFileLayer(), clock: systemClock, bytesMax });
  try {
    const journal = await open();
    let whole = '';
    {
      await using fixture = await startFixture({ journal });
      fixture.first.next(
        complete('é'.repeat(50_000)),
        eventsThen([roleEvent, chunkEvent({ content: 'half' })], () => undefined),
      );
      whole = await (await fixture.ask(chat())).text();
      await (await fixture.ask(chat({ stream: true }))).body?.getReader().read();
    }
    // An exchange of which a crash left only the beginning.
    await journal.append({ kind: 'open', meta: { exchange: 'xc_crashed', startedAtMs: 1 } }).durable;
    await journal.close();

    const again = await open();
    assert.deepEqual(await recoverInterrupted(again), { interrupted: 1, left: 0 });
    assert.deepEqual(await recoverInterrupted(again), { interrupted: 0, left: 0 });
    const records = await recordsOf(again);
    await again.close();
    const outcomes = records.filter((record) => record.kind === 'close').map((record) => record.meta['outcome']);
    assert.deepEqual(outcomes, ['answered', 'interrupted', 'interrupted']);
    const first = records[0]?.meta['exchange'];
    const parts = records.filter((record) => record.kind === 'part' && record.meta['exchange'] === first);
    assert.equal(Buffer.concat(parts.map((part) => part.body)).toString('utf8'), whole);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
