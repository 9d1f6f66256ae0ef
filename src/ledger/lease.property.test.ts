import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Site } from '#base';
import { LeaseWorld, worldTtlMs, type LeaseOp, type WorldOptions } from './testing/lease-world.ts';

const rate = fc.constantFrom(0.99, 0.995, 1, 1.005, 1.01);
const site = fc.constantFrom<Site>('home', 'partner');
const op: fc.Arbitrary<LeaseOp> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 5, 20, 300, 985, 1020) }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('renew-fast' as const), site }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('ask' as const, 'acknowledge' as const), site }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('deliver' as const), pick: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), pick: fc.nat(8) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('restart' as const, 'swap' as const, 'fence' as const, 'promote' as const),
    }),
  },
);

function neverTwo(weakened: NonNullable<WorldOptions['weakened']>, seen?: { bothHeld: number }) {
  return fc.asyncProperty(
    fc.record({ home: rate, partner: rate, grantor: rate }),
    fc.array(op, { minLength: 20, maxLength: 80 }),
    async (rates, ops) => {
      const world = await LeaseWorld.start({ rates, weakened });
      try {
        for (const next of ops) await world.run(next);
        if (seen && world.held.home && world.held.partner) seen.bothHeld++;
      } finally {
        await world.close();
      }
    },
  );
}

test('whatever is delayed, lost, moved or restarted, no two sites hold an unexpired lease', async () => {
  const seen = { bothHeld: 0 };
  await fc.assert(neverTwo({}, seen), { numRuns: 400 });
  assert.ok(seen.bothHeld >= 10, `only ${seen.bothHeld} histories gave the lease to both sites in turn`);
});

test('the property fails when a restarted grantor does not wait', async () => {
  const outcome = await fc.check(neverTwo({ skipRestartWait: true }), { numRuns: 2_000, seed: 7, endOnFailure: true });
  assert.equal(outcome.failed, true);
});

test('the property fails when clock rates are not allowed for', async () => {
  const outcome = await fc.check(neverTwo({ clockRateAllowance: 0 }), { numRuns: 4_000, seed: 7, endOnFailure: true });
  assert.equal(outcome.failed, true);
});

for (const [weakened, expected] of [
  [{}, false],
  [{ clockRateAllowance: 0 }, true],
] as const) {
  test(`the tightest handover, slow holder and fast grantor, allowance ${expected ? 'removed' : 'kept'}`, async () => {
    const world = await LeaseWorld.start({ rates: { home: 0.99, partner: 1, grantor: 1.01 }, weakened });
    const handOver = async (): Promise<void> => {
      await world.run({ do: 'renew-fast', site: 'home' });
      await world.run({ do: 'swap' });
      for (let waited = 0; waited < worldTtlMs * 1.1; waited += 2) {
        await world.run({ do: 'renew-fast', site: 'partner' });
        await world.run({ do: 'advance', ms: 2 });
      }
      assert.equal(world.holders.partner.mayAct(), true, 'the partner got its lease in the end');
    };
    await (expected ? assert.rejects(handOver, /two sites hold/) : handOver());
    await world.close();
  });
}
