import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, systemClock } from './clock.ts';

test('a manual clock fires timers in order of time, also those set by others, and never early', async () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  clock.after(20, () => fired.push(`b at ${clock.monotonicMs()}`));
  clock.after(10, () => {
    fired.push(`a at ${clock.monotonicMs()}`);
    clock.after(5, () => fired.push(`c at ${clock.monotonicMs()}`));
  });
  await clock.advance(9);
  assert.deepEqual(fired, []);
  await clock.advance(11);
  assert.deepEqual(fired, ['a at 10', 'c at 15', 'b at 20']);
  assert.equal(clock.wallMs(), Date.UTC(2026, 0, 1) + 20);
});

test('a cancelled timer does not fire', async () => {
  const clock = new ManualClock();
  let fired = false;
  clock.after(1, () => (fired = true))();
  await clock.advance(5);
  assert.equal(fired, false);
});

for (const [name, clock] of [
  ['manual', new ManualClock()],
  ['system', systemClock],
] as const) {
  test(`the ${name} clock's sleep ends with the signal's own reason`, async () => {
    const stopping = new AbortController();
    const reason = new Error('stop');
    const sleeping = clock.sleep(60_000, stopping.signal);
    stopping.abort(reason);
    await assert.rejects(sleeping, reason);
    await assert.rejects(clock.sleep(1, stopping.signal), reason);
  });
}
