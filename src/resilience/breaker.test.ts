import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ManualClock } from '#base';
import { admits, Breaker, closedBreaker, moveBreaker, type BreakerEvent, type BreakerPolicy } from './mod.ts';

const policy: BreakerPolicy = { failureRate: 0.5, callsMin: 4, windowMs: 10_000, openForMs: 5_000, probesMax: 2 };

function call(breaker: Breaker, how: 'passed' | 'failed' | 'abandoned'): boolean {
  const permit = breaker.ask();
  permit?.[how]();
  return permit !== undefined;
}

test('opens at the failure rate, but only once the window holds enough calls', () => {
  const breaker = new Breaker(policy, new ManualClock());
  for (let calls = 0; calls < 3; calls++) call(breaker, 'failed');
  assert.equal(breaker.view().state, 'closed');
  call(breaker, 'failed');
  assert.equal(breaker.view().state, 'open');
  assert.equal(breaker.ask(), undefined);
});

test('a failure rate below the limit keeps it closed, and abandoned calls do not count', () => {
  const breaker = new Breaker(policy, new ManualClock());
  for (let round = 0; round < 20; round++) {
    call(breaker, 'passed');
    call(breaker, 'passed');
    call(breaker, 'failed');
    call(breaker, 'abandoned');
  }
  assert.deepEqual(breaker.view(), { state: 'closed', retryInMs: 0, calls: 60, failures: 20 });
});

test('failures that slid out of the window are forgotten', async () => {
  const clock = new ManualClock();
  const breaker = new Breaker(policy, clock);
  for (let calls = 0; calls < 3; calls++) call(breaker, 'failed');
  await clock.advance(11_000);
  call(breaker, 'failed');
  assert.deepEqual(breaker.view(), { state: 'closed', retryInMs: 0, calls: 1, failures: 1 });
});

test('half-open lets only a few probes pass, closes when they pass, opens again when one fails', async () => {
  const clock = new ManualClock();
  const moves: string[] = [];
  const breaker = new Breaker(policy, clock, (from, to) => moves.push(`${from}>${to}`));
  for (let calls = 0; calls < 4; calls++) call(breaker, 'failed');
  await clock.advance(4_999);
  assert.equal(breaker.ask(), undefined);
  await clock.advance(1);
  const probes = [breaker.ask(), breaker.ask()];
  assert.equal(breaker.ask(), undefined, 'a third probe must wait');
  probes[0]?.failed();
  probes[1]?.passed();
  assert.equal(breaker.view().state, 'open', 'the late success of a probe says nothing any more');
  await clock.advance(5_000);
  call(breaker, 'passed');
  assert.equal(breaker.view().state, 'half-open');
  call(breaker, 'abandoned');
  call(breaker, 'passed');
  assert.equal(breaker.view().state, 'closed');
  assert.deepEqual(moves, ['closed>open', 'open>half-open', 'half-open>open', 'open>half-open', 'half-open>closed']);
});

test('a call from before the breaker opened says nothing about its recovery', async () => {
  const clock = new ManualClock();
  const breaker = new Breaker(policy, clock);
  const old = breaker.ask();
  for (let calls = 0; calls < 4; calls++) call(breaker, 'failed');
  await clock.advance(5_000);
  const probe = breaker.ask();
  old?.failed();
  assert.equal(breaker.view().state, 'half-open');
  probe?.passed();
  call(breaker, 'passed');
  assert.equal(breaker.view().state, 'closed');
});

test('whatever happens, probes out stay within their bound and never below zero', () => {
  const events = fc.array(
    fc.tuple(fc.constantFrom<BreakerEvent['kind']>('asked', 'passed', 'failed', 'abandoned'), fc.nat(3_000)),
  );
  fc.assert(
    fc.property(events, (sequence) => {
      let state = closedBreaker;
      let atMs = 0;
      let out = 0;
      for (const [kind, passedMs] of sequence) {
        atMs += passedMs;
        if (kind === 'asked' && !admits(state, atMs, policy)) continue;
        // A result comes only from a call that is out, as permits see to it.
        if (kind !== 'asked' && state.kind === 'half-open' && out === 0) continue;
        const before = state.kind;
        state = moveBreaker(state, { kind, atMs }, policy);
        if (state.kind !== before) out = state.kind === 'half-open' ? 1 : 0;
        else out += kind === 'asked' ? 1 : -1;
        if (state.kind !== 'half-open') continue;
        assert.ok(state.probesOut >= 0 && state.probesOut + state.probesPassed <= policy.probesMax);
      }
    }),
  );
});
