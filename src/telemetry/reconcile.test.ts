import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '#base';
import { reconcile } from './reconcile.ts';
import { Ranges } from './ranges.ts';
import { windowsOf } from './read-back.ts';
import { baseMs, journalExchange, openOf } from './testing/exchanges.ts';
import { MemoryJournal } from './testing/memory-journal.ts';
import { inWorld } from './testing/world.ts';

const signal = new AbortController().signal;

describe('reconcile', () => {
  it('names what is missing and what can be read twice, by id', () =>
    inWorld(async (world) => {
      world.telemetry.start();
      for (const id of ['a', 'b', 'c']) await journalExchange(world.journal, id);
      await journalExchange(world.journal, 'late', { open: { startedAtMs: baseMs + 60_000 } });
      await world.until(() => world.provenAll('home', 'partner'));
      const window = { journal: world.journal, clock: world.clock, fromMs: baseMs, toMs: baseMs + 30_000, signal };
      const before = await reconcile({ ...window, destination: world.partner });
      assert.deepEqual([before.items, before.spans, before.found], [3, 6, 6]);
      assert.deepEqual([before.missing, before.duplicates], [[], []]);
      const { stored } = world.partner;
      for (const [key, row] of new Map(stored)) {
        if (row.id === openOf('a').spanId) stored.delete(key);
        if (row.id === openOf('b').spanId) stored.set(`${key} again`, row);
      }
      const { missing, duplicates, found } = await reconcile({ ...window, destination: world.partner });
      assert.equal(found, 5);
      assert.deepEqual(missing, [
        { traceId: openOf('a').traceId, spanId: openOf('a').spanId, startMs: baseMs, sequence: 1 },
      ]);
      assert.deepEqual(
        duplicates.map(({ spanId, count }) => [spanId, count]),
        [[openOf('b').spanId, 2]],
      );
      assert.equal((await reconcile({ ...window, destination: world.home })).missing.length, 0);
    }));

  it('expects the root span of an exchange that was cut off', async () => {
    const journal = new MemoryJournal();
    await journalExchange(journal, 'cut', { noClose: true });
    const clock = new ManualClock();
    const destination = { id: 'home' as const, export: async () => {}, observations: async () => [] };
    const result = await reconcile({ journal, clock, destination, fromMs: 0, toMs: baseMs * 2, signal });
    assert.deepEqual(
      result.missing.map(({ spanId }) => spanId),
      [openOf('cut').spanId],
    );
  });

  it('refuses a window it cannot hold', async () => {
    const journal = new MemoryJournal();
    for (const id of ['a', 'b']) await journalExchange(journal, id);
    const destination = { id: 'home' as const, export: async () => {}, observations: async () => [] };
    const options = {
      journal,
      clock: new ManualClock(),
      destination,
      fromMs: 0,
      toMs: baseMs * 2,
      signal,
      spansMax: 1,
    };
    await assert.rejects(reconcile(options), { code: 'TELEMETRY_RANGE_TOO_WIDE' });
  });
});

describe('windows of start time', () => {
  const keysAt = (...starts: number[]): { traceId: string; spanId: string; startMs: number }[] =>
    starts.map((startMs) => ({ traceId: 't', spanId: 's', startMs }));

  it('cover every span, never overlap, and leave long silences out', () => {
    const starts = [0, 1, 1, 500, 2_300, 90_000, 90_001, 90_001, 90_002];
    for (const spansMax of [1, 2, 100]) {
      const windows = windowsOf(keysAt(...starts), spansMax);
      for (const start of starts) {
        assert.equal(windows.filter(({ fromMs, toMs }) => start >= fromMs && start < toMs).length, 1);
      }
      for (const [index, window] of windows.entries()) {
        assert.ok((windows[index + 1]?.fromMs ?? Infinity) >= window.toMs);
      }
    }
    assert.equal(windowsOf(keysAt(...starts), 100).length, 2);
  });
});

describe('ranges to read again', () => {
  const range = (after: number, through: number): Parameters<Ranges['add']>[0] => ({
    after,
    through,
    fromMs: after,
    sinceMs: after,
  });

  it('melt with their neighbours and stay few', () => {
    const ranges = new Ranges();
    ranges.add(range(5_000, 5_001));
    ranges.add(range(4_999, 5_000));
    ranges.add(range(10, 10));
    ranges.add(range(90_000, 90_010));
    assert.deepEqual(ranges.list, [
      { after: 4_999, through: 5_001, fromMs: 4_999, sinceMs: 4_999 },
      { after: 90_000, through: 90_010, fromMs: 90_000, sinceMs: 90_000 },
    ]);
    for (let n = 1; n < 500; n++) ranges.add(range(n * 100_000, n * 100_000 + 1));
    assert.ok(ranges.list.length <= 64);
    assert.ok(ranges.list.some(({ after, through }) => after < 25_000_001 && through >= 25_000_001));
  });
});
