import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, Failure, ManualClock } from '#base';
import { RetryBudget, startDeadline } from './mod.ts';

test('a deadline aborts with its code when its time is over, not before', async () => {
  const clock = new ManualClock();
  const deadline = startDeadline(clock, 1_000);
  await clock.advance(999);
  assert.equal(deadline.signal.aborted, false);
  assert.equal(deadline.remainingMs(), 1);
  await clock.advance(1);
  assert.equal(codeOf(deadline.signal.reason), 'DEADLINE_EXCEEDED');
  assert.equal(deadline.remainingMs(), 0);
});

test('a child never outlives its parent, and ends alone', async () => {
  const clock = new ManualClock();
  const parent = startDeadline(clock, 1_000);
  const short = parent.child(100);
  const long = parent.child(5_000);
  assert.equal(long.remainingMs(), 1_000);
  await clock.advance(100);
  assert.equal(short.signal.aborted, true);
  assert.equal(parent.signal.aborted, false);
  parent.abort(new Failure('CLIENT_GONE', 'gone'));
  assert.equal(codeOf(long.signal.reason), 'CLIENT_GONE');
  assert.equal(codeOf(parent.child(10).signal.reason), 'CLIENT_GONE');
});

test('a released deadline does not abort', async () => {
  const clock = new ManualClock();
  const deadline = startDeadline(clock, 10);
  deadline.release();
  await clock.advance(100);
  assert.equal(deadline.signal.aborted, false);
});

test('retries never exceed their share of the traffic beyond the declared few', async () => {
  const clock = new ManualClock();
  const budget = new RetryBudget({ share: 0.2, retriesMin: 2, windowMs: 10_000 }, clock);
  const taken = (tries: number): number =>
    Array.from({ length: tries }, () => budget.takeRetry()).filter(Boolean).length;
  assert.equal(taken(5), 2);
  for (let calls = 0; calls < 50; calls++) budget.called();
  assert.equal(taken(100), 8, 'ten for fifty calls, two of them taken before');
  await clock.advance(11_000);
  assert.equal(taken(5), 2);
});
