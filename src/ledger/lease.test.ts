import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#base';
import { LeaseGrantor } from './lease-grantor.ts';
import { LeaseHolder, type HolderState } from './lease-holder.ts';
import type { Ledger } from './port.ts';
import { openSqliteLedger } from './sqlite.ts';

const epoch1 = { generation: 1, number: 1 };
const epoch2 = { generation: 1, number: 2 };
const ttlMs = 1_000;
const event = { type: 'moved', body: {} };

async function setUp(): Promise<{ ledger: Ledger; clock: ManualClock; grantor: LeaseGrantor }> {
  const clock = new ManualClock();
  const ledger = await openSqliteLedger({ file: ':memory:', clock });
  const grantor = new LeaseGrantor({ ledger, clock, ttlMs });
  await grantor.open();
  return { ledger, clock, grantor };
}

const fence = { expected: epoch1, roles: { home: 'fenced', partner: 'standby' }, by: 'run_1' } as const;

test('a new ledger is founded with home active, and only the active site is granted', async () => {
  const { ledger, grantor } = await setUp();
  assert.deepEqual(grantor.authority().roles, { home: 'active', partner: 'standby' });
  assert.deepEqual(await grantor.renew('home', undefined), { epoch: epoch1, role: 'active', grant: { ttlMs } });
  assert.deepEqual(await grantor.renew('partner', undefined), { epoch: epoch1, role: 'standby' });
  await ledger.close();
});

test('a renewal writes nothing while the grantee stays', async () => {
  const { ledger, grantor } = await setUp();
  for (let round = 0; round < 5; round++) await grantor.renew('home', epoch1);
  assert.equal((await ledger.get('lease'))?.version, 1);
  await ledger.close();
});

test('after a move the old site gets nothing, the new one only when the old lease has run out', async () => {
  const { ledger, clock, grantor } = await setUp();
  await grantor.renew('home', epoch1);
  const moved = await grantor.move(
    { ...fence, roles: { home: 'fenced', partner: 'active' } },
    { stream: 'run/1', expectedSequence: 0, events: [event] },
  );
  assert.equal(moved.sequence, 1);
  assert.deepEqual(moved.authority.epoch, epoch2);
  assert.deepEqual(await grantor.renew('home', epoch1), { epoch: epoch2, role: 'fenced' });
  assert.equal((await grantor.renew('partner', epoch2)).grant, undefined);
  await clock.advance(1_009);
  assert.equal(grantor.ranOut('home'), false);
  await clock.advance(1);
  assert.equal(grantor.ranOut('home'), true);
  assert.deepEqual((await grantor.renew('partner', epoch2)).grant, { ttlMs });
  await ledger.close();
});

test('an acknowledgement ends the wait, a late or premature one does not', async () => {
  const { ledger, clock, grantor } = await setUp();
  await grantor.renew('home', epoch1);
  await grantor.move(fence, { stream: 'run/1', expectedSequence: 0, events: [event] });
  grantor.acknowledge('home', epoch1);
  assert.equal(grantor.ranOut('home'), false, 'rights under epoch 1.1 itself were not dropped');
  const waiting = grantor.waitUntilRanOut('home', new AbortController().signal);
  grantor.acknowledge('home', epoch2);
  await waiting;
  assert.equal(clock.monotonicMs(), 0);
  const home = { home: 'active', partner: 'fenced' } as const;
  await grantor.move(
    { expected: epoch2, roles: home, by: 'run_1' },
    { stream: 'run/1', expectedSequence: 1, events: [] },
  );
  await grantor.renew('home', epoch2);
  grantor.acknowledge('home', epoch2);
  assert.equal(grantor.ranOut('home'), false, 'the message is older than the new grant');
  await ledger.close();
});

test('waiting for a lease to run out resolves by time and stops on abort', async () => {
  const { ledger, clock, grantor } = await setUp();
  await grantor.renew('home', epoch1);
  const stop = new AbortController();
  const aborted = grantor.waitUntilRanOut('home', stop.signal);
  stop.abort(new Error('the run was aborted'));
  await assert.rejects(aborted, /the run was aborted/);
  let done = false;
  const waiting = grantor.waitUntilRanOut('home', new AbortController().signal).then(() => (done = true));
  await clock.advance(1_000);
  assert.equal(done, false);
  await clock.advance(10);
  await waiting;
  await ledger.close();
});

test('a restarted grantor grants to the last grantee at once and makes another wait', async () => {
  const { ledger, clock, grantor } = await setUp();
  await grantor.renew('home', epoch1);
  await clock.advance(400);
  // The successor was configured with a shorter ttl: the wait is for what was promised before.
  const next = new LeaseGrantor({ ledger, clock, ttlMs: 10 });
  await next.open();
  assert.deepEqual((await next.renew('home', epoch1)).grant, { ttlMs: 10 });
  const roles = { home: 'fenced', partner: 'active' } as const;
  await next.move({ ...fence, roles }, { stream: 'run/1', expectedSequence: 0, events: [event] });
  await clock.advance(1_009);
  assert.equal((await next.renew('partner', undefined)).grant, undefined);
  await clock.advance(1);
  assert.deepEqual((await next.renew('partner', undefined)).grant, { ttlMs: 10 });
  await ledger.close();
});

test('in a promoted copy either site may still hold a lease', async () => {
  const { ledger, clock, grantor } = await setUp();
  await grantor.renew('home', epoch1);
  const promoted = { epoch: { generation: 2, number: 1 }, roles: { home: 'active', partner: 'fenced' }, by: 'promote' };
  await ledger.put('authority', promoted, 1);
  const next = new LeaseGrantor({ ledger, clock, ttlMs });
  await next.open();
  assert.equal(next.ranOut('home'), false);
  assert.equal(next.ranOut('partner'), false);
  assert.equal((await next.renew('home', undefined)).grant, undefined);
  await ledger.close();
});

test('roles and event are one transaction, and the loser of two movers changes nothing', async () => {
  const { ledger, grantor } = await setUp();
  const stale = { stream: 'run/1', expectedSequence: 5, events: [event] };
  await assert.rejects(grantor.move(fence, stale), { code: 'LEDGER_CONFLICT' });
  assert.deepEqual(grantor.authority().epoch, epoch1);
  const outcomes = await Promise.allSettled([
    grantor.move(fence, { stream: 'run/1', expectedSequence: 0, events: [event] }),
    grantor.move(fence, { stream: 'run/2', expectedSequence: 0, events: [event] }),
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status),
    ['fulfilled', 'rejected'],
  );
  assert.deepEqual(await ledger.streams('run/'), ['run/1']);
  assert.deepEqual(grantor.authority().epoch, epoch2);
  await ledger.close();
});

test('roles go forward under one epoch, and never are two sites active', async () => {
  const { ledger, grantor } = await setUp();
  const append = (expectedSequence: number) => ({ stream: 'run/1', expectedSequence, events: [event] });
  const both = { home: 'active', partner: 'active' } as const;
  await assert.rejects(grantor.setRoles({ expected: epoch1, roles: both, by: 'x' }, append(0)), {
    code: 'AUTHORITY_INVALID',
  });
  await assert.rejects(grantor.move({ expected: epoch1, roles: both, by: 'x' }, append(0)), {
    code: 'AUTHORITY_INVALID',
  });
  await assert.rejects(grantor.setRoles(fence, append(0)), { code: 'AUTHORITY_INVALID' });
  await grantor.move(fence, append(0));
  const forward = { home: 'standby', partner: 'active' } as const;
  await grantor.setRoles({ expected: epoch2, roles: forward, by: 'run_1' }, append(1));
  assert.deepEqual(grantor.authority(), { epoch: epoch2, roles: forward, by: 'run_1' });
  assert.equal((await ledger.read('run/1')).length, 2);
  await ledger.close();
});

test('an act under an older epoch is fenced; the ledger does not grant to a site that knows more', async () => {
  const { ledger, grantor } = await setUp();
  grantor.assertCurrent(epoch1);
  assert.equal((await grantor.renew('home', epoch2)).grant, undefined);
  await grantor.move(fence, { stream: 'run/1', expectedSequence: 0, events: [event] });
  assert.throws(() => grantor.assertCurrent(epoch1), { code: 'ACT_FENCED', message: /1\.1 may not act, 1\.2/ });
  grantor.assertCurrent(epoch2);
  await ledger.close();
});

test('a holder counts from before it sent, and tells of its lapse', async () => {
  const clock = new ManualClock();
  const holder = new LeaseHolder({ clock, site: 'home' });
  const told: string[] = [];
  holder.onChange((state: HolderState) => told.push(state.phase === 'heard' ? `${state.role} ${state.lease}` : ''));
  assert.deepEqual(holder.state(), { phase: 'unheard' });
  assert.equal(holder.mayAct(), false);
  const token = holder.requestStarted();
  await clock.advance(300);
  holder.granted(token, { epoch: epoch1, role: 'active', ttlMs });
  assert.equal(holder.mayAct(), true);
  assert.equal(holder.mayAct(689), true);
  assert.equal(holder.mayAct(690), false);
  const renewal = holder.requestStarted();
  await clock.advance(500);
  holder.granted(renewal, { epoch: epoch1, role: 'active', ttlMs });
  holder.granted(token, { epoch: epoch1, role: 'active', ttlMs }); // the first answer, delivered twice
  await clock.advance(489);
  assert.equal(holder.mayAct(), true);
  await clock.advance(2);
  assert.equal(holder.mayAct(), false);
  assert.deepEqual(told, ['active held', 'active lapsed']);
  const late = holder.requestStarted();
  await clock.advance(2_000);
  holder.granted(late, { epoch: epoch1, role: 'active', ttlMs });
  assert.equal(holder.mayAct(), false, 'an answer that took longer than the lease is worth nothing');
});

test('a holder drops the lower epoch at once and ignores what is older', () => {
  const holder = new LeaseHolder({ clock: new ManualClock(), site: 'home' });
  const token = holder.requestStarted();
  holder.granted(token, { epoch: epoch1, role: 'active', ttlMs });
  holder.observe(epoch2, 'fenced');
  assert.equal(holder.mayAct(), false);
  holder.granted(token, { epoch: epoch1, role: 'active', ttlMs });
  assert.deepEqual(holder.state(), { phase: 'heard', epoch: epoch2, role: 'fenced', lease: 'none', remainingMs: 0 });
  holder.observe(epoch2, 'active');
  holder.observe(epoch2, 'standby'); // overtaken on the way
  const state = holder.state();
  assert.equal(state.phase === 'heard' && state.role, 'active');
  assert.equal(holder.mayAct(), false, 'a role alone is no lease');
});
