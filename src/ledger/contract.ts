// What every ledger adapter must do. Each adapter's test calls `ledgerContract` with its own way of opening; what is
// asserted here is all that the rest of the program relies on.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { appendBytesMax } from './limits.ts';
import type { Cell, Ledger } from './port.ts';

export interface LedgerUnderTest {
  /** Opens the same ledger again: what was acknowledged before is there. */
  reopen(): Promise<Ledger>;
  /** Removes what the test left. */
  dispose(): Promise<void>;
}

const started = { type: 'step-started', body: { step: 'fence', attempt: 1 } };

export function ledgerContract(name: string, open: () => Promise<LedgerUnderTest>): void {
  describe(`ledger contract: ${name}`, () => {
    let subject: LedgerUnderTest;
    let ledger: Ledger;

    beforeEach(async () => {
      subject = await open();
      ledger = await subject.reopen();
    });
    afterEach(async () => {
      await ledger.close();
      await subject.dispose();
    });

    test('a stream starts at 1 and grows without gaps', async () => {
      assert.equal(await ledger.append('run/1', 0, [started]), 1);
      assert.equal(await ledger.append('run/1', 1, [started, started]), 3);
      const events = await ledger.read('run/1');
      assert.deepEqual(
        events.map((event) => event.sequence),
        [1, 2, 3],
      );
      assert.deepEqual(events[0]?.body, started.body);
      assert.equal(events[0]?.type, 'step-started');
      assert.equal(events[0]?.stream, 'run/1');
      assert.equal(Number.isSafeInteger(events[0]?.atMs), true);
    });

    test('an append after the wrong sequence writes nothing', async () => {
      await ledger.append('run/1', 0, [started]);
      for (const wrong of [0, 2]) {
        await assert.rejects(
          ledger.append('run/1', wrong, [started], [{ key: 'cell', value: 1, expectedVersion: 0 }]),
          hasCode('LEDGER_CONFLICT'),
        );
      }
      assert.equal((await ledger.read('run/1')).length, 1);
      assert.equal(await ledger.get('cell'), undefined);
    });

    test('events and cells are written together or not at all', async () => {
      await ledger.put('roles', 'old', 0);
      const writes = [
        { key: 'fresh', value: 1, expectedVersion: 0 },
        { key: 'roles', value: 'new', expectedVersion: 7 },
      ];
      await assert.rejects(ledger.append('run/1', 0, [started], writes), hasCode('LEDGER_CONFLICT'));
      assert.deepEqual(await ledger.read('run/1'), []);
      assert.deepEqual(await ledger.streams(''), []);
      assert.equal(await ledger.get('fresh'), undefined);
      assert.deepEqual(await ledger.get('roles'), { key: 'roles', value: 'old', version: 1 });

      const right = writes.map((write) => (write.key === 'roles' ? { ...write, expectedVersion: 1 } : write));
      await ledger.append('run/1', 0, [started], right);
      assert.deepEqual(await ledger.get('roles'), { key: 'roles', value: 'new', version: 2 });
      assert.deepEqual(await ledger.get('fresh'), { key: 'fresh', value: 1, version: 1 });
    });

    test('a cell is written only over the version the writer saw', async () => {
      assert.deepEqual(await ledger.put('a', { x: [1, null, 'é'] }, 0), {
        key: 'a',
        value: { x: [1, null, 'é'] },
        version: 1,
      });
      await assert.rejects(ledger.put('a', 2, 0), hasCode('LEDGER_CONFLICT'));
      await assert.rejects(ledger.put('b', 2, 1), hasCode('LEDGER_CONFLICT'));
      assert.equal((await ledger.put('a', 2, 1)).version, 2);
      assert.equal(await ledger.get('b'), undefined);
    });

    test('of two appenders at the same place exactly one wins', async () => {
      for (let sequence = 0; sequence < 20; sequence++) {
        const outcomes = await Promise.allSettled([
          ledger.append('run/1', sequence, [{ type: 'first', body: {} }]),
          ledger.append('run/1', sequence, [{ type: 'second', body: {} }]),
        ]);
        assert.deepEqual(outcomes.map((outcome) => outcome.status).sort(), ['fulfilled', 'rejected']);
      }
      assert.equal((await ledger.read('run/1')).length, 20);
    });

    test('reading pages through a stream', async () => {
      await ledger.append(
        'run/1',
        0,
        Array.from({ length: 50 }, (_, index) => ({ type: 'tick', body: { index } })),
      );
      const page = await ledger.read('run/1', { afterSequence: 20, limit: 5 });
      assert.deepEqual(
        page.map((event) => event.sequence),
        [21, 22, 23, 24, 25],
      );
      assert.equal((await ledger.read('run/1', { afterSequence: 45 })).length, 5);
      assert.deepEqual(await ledger.read('run/1', { afterSequence: 50 }), []);
      assert.deepEqual(await ledger.read('nothing'), []);
    });

    test('prefixes select streams and cells in order of name', async () => {
      for (const stream of ['run/b', 'run/a', 'runs', 'audit', 'run/a/x']) await ledger.append(stream, 0, [started]);
      for (const key of ['site/partner', 'site/home', 'sites', 'site/', 'a_b', 'a%b']) await ledger.put(key, key, 0);
      assert.deepEqual(await ledger.streams('run/'), ['run/a', 'run/a/x', 'run/b']);
      assert.equal((await ledger.streams('')).length, 5);
      assert.deepEqual(
        (await ledger.list('site/')).map((cell) => cell.key),
        ['site/', 'site/home', 'site/partner'],
      );
      assert.deepEqual(
        (await ledger.list('a%')).map((cell) => cell.key),
        ['a%b'],
      );
      assert.deepEqual(await ledger.list('none'), []);
    });

    test('bodies up to the bound are kept whole, larger ones are refused', async () => {
      const big = 'ü'.repeat(appendBytesMax / 2 - 100);
      await ledger.append('run/1', 0, [{ type: 'big', body: { big } }]);
      assert.equal((await ledger.read('run/1'))[0]?.body['big'], big);
      const halves = { type: 'big', body: { big: 'x'.repeat(appendBytesMax / 2) } };
      await assert.rejects(ledger.append('run/1', 1, [halves, halves]), hasCode('LEDGER_TOO_LARGE'));
      await assert.rejects(ledger.put('a', 'x'.repeat(appendBytesMax), 0), hasCode('LEDGER_TOO_LARGE'));
      assert.equal((await ledger.read('run/1')).length, 1);
    });

    test('names that could not be listed or printed are refused', async () => {
      for (const bad of ['', 'a\nb', 'a\0b', 'x'.repeat(513), '\ud800']) {
        await assert.rejects(ledger.append(bad, 0, [started]), hasCode('LEDGER_BAD_NAME'));
        await assert.rejects(ledger.put(bad, 1, 0), hasCode('LEDGER_BAD_NAME'));
      }
    });

    test('what was acknowledged is there after opening again', async () => {
      await ledger.append('run/1', 0, [started], [{ key: 'roles', value: { home: 'active' }, expectedVersion: 0 }]);
      await ledger.close();
      ledger = await subject.reopen();
      assert.deepEqual((await ledger.read('run/1'))[0]?.body, started.body);
      assert.deepEqual(await ledger.get('roles'), { key: 'roles', value: { home: 'active' }, version: 1 });
      await assert.rejects(ledger.append('run/1', 0, [started]), hasCode('LEDGER_CONFLICT'));
      assert.equal(await ledger.append('run/1', 1, [started]), 2);
    });

    test('watch yields what is there, then what changes, newest state at least', async () => {
      await ledger.put('site/home', 'active', 0);
      await ledger.put('other', 1, 0);
      const stop = new AbortController();
      const cells = ledger.watch('site/', stop.signal)[Symbol.asyncIterator]();
      assert.deepEqual(await nextOf(cells), { key: 'site/home', value: 'active', version: 1 });
      await ledger.put('other', 2, 1);
      await ledger.append('run/1', 0, [started], [{ key: 'site/home', value: 'fenced', expectedVersion: 1 }]);
      await ledger.put('site/home', 'standby', 2);
      let cell = await nextOf(cells);
      while (cell.version < 3) cell = await nextOf(cells);
      assert.deepEqual(cell, { key: 'site/home', value: 'standby', version: 3 });
      const waiting = cells.next();
      stop.abort();
      assert.equal((await waiting).done, true);
    });

    test('a watch ends when the ledger closes, and an aborted one never begins', async () => {
      const cells = ledger.watch('', new AbortController().signal)[Symbol.asyncIterator]();
      const waiting = cells.next();
      await ledger.close();
      assert.equal((await waiting).done, true);
      ledger = await subject.reopen();
      await ledger.put('a', 1, 0);
      assert.equal((await ledger.watch('', AbortSignal.abort())[Symbol.asyncIterator]().next()).done, true);
    });

    test('a closed ledger takes nothing, and closing twice is harmless', async () => {
      await ledger.close();
      await ledger.close();
      await assert.rejects(ledger.append('run/1', 0, [started]), hasCode('LEDGER_CLOSED'));
      await assert.rejects(ledger.get('a'), hasCode('LEDGER_CLOSED'));
    });
  });
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.equal((error as { code?: unknown }).code, code);
    return true;
  };
}

async function nextOf(cells: AsyncIterator<Cell>): Promise<Cell> {
  const step = await cells.next();
  assert.equal(step.done, false, 'the watch ended too early');
  return step.value;
}
