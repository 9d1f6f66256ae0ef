import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { JournalWorld, type JournalOp } from './testing/journal-world.ts';

const op: fc.Arbitrary<JournalOp> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      bodyBytes: fc.constantFrom(0, 1, 40, 700, 5_000, 9_000),
      wait: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.nat(12) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('release' as const), share: fc.constantFrom(0.3, 0.8, 1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      fault: fc.constantFrom('write' as const, 'sync' as const, 'directory' as const),
      nth: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('close' as const, 'crash' as const, 'kill' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash-while-opening' as const), turns: fc.nat(30) }) },
);

function keepsItsPromises(options: { ignoreSync: boolean }, seen = { acknowledged: 0, lives: 0 }) {
  return fc.asyncProperty(fc.array(op, { minLength: 5, maxLength: 60 }), fc.nat(), async (ops, seed) => {
    const world = new JournalWorld({ seed, ...options });
    await world.reopen();
    for (const next of ops) await world.run(next);
    await world.run({ do: 'crash' });
    seen.acknowledged += world.counts.acknowledged;
    seen.lives += world.counts.lives;
  });
}

test('whatever crashes, tears or fails: every acknowledged record is read back, in order, once, unchanged', async () => {
  const seen = { acknowledged: 0, lives: 0 };
  await fc.assert(keepsItsPromises({ ignoreSync: false }, seen), { numRuns: 300 });
  assert.ok(seen.acknowledged > 1_000, `${seen.acknowledged} acknowledged records in ${seen.lives} lives`);
});

test('with the fdatasync call removed, acknowledged records are lost', async () => {
  const outcome = await fc.check(keepsItsPromises({ ignoreSync: true }), { numRuns: 50, endOnFailure: true });
  assert.equal(outcome.failed, true);
});

test('with the fdatasync call removed, a plain crash after an acknowledgement loses the record', async () => {
  const losses = await Promise.all(
    Array.from({ length: 8 }, async (_, seed) => {
      const world = new JournalWorld({ seed, ignoreSync: true });
      await world.reopen();
      await world.run({ do: 'append', bodyBytes: 100, wait: true });
      return world.run({ do: 'crash' }).then(
        () => false,
        () => true,
      );
    }),
  );
  assert.ok(losses.includes(true));
});
