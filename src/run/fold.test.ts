import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Verdict } from '#base';
import type { StepId } from '#stamp';
import type { LoggedRunEvent, RunEvent } from './events.ts';
import { foldRun, isOverridden, isThrough, readySteps, standingApprovals, type RunState } from './fold.ts';
import { outcomeOf, rtoOf } from './outcome.ts';
import { approvalBy, examplePlan, opening } from './testing/rehearsed-run.ts';

const startMs = 1_000_000;

/** Each event one second after the one before it. */
function fold(...events: RunEvent[]): RunState {
  const all = [opening(examplePlan('failover'), { incidentAtMs: startMs - 90_000 }), ...events];
  return foldRun(all.map((event, index): LoggedRunEvent => ({ ...event, sequence: index + 1, atMs: at(index) })));
}

function at(index: number): number {
  return startMs + index * 1_000;
}

function started(step: StepId, attempt = 1): RunEvent {
  return { type: 'step-started', body: { step, attempt } };
}

function finished(step: StepId, verdict: Verdict = 'pass', attempt = 1): RunEvent {
  return { type: 'step-finished', body: { step, attempt, verdict, seconds: 1, findings: [], facts: {} } };
}

function approved(person: string, more: Parameters<typeof approvalBy>[1] = {}): RunEvent {
  return { type: 'approval-given', body: { signed: approvalBy(person, more) } };
}

function overridden(person: string, step: StepId, more: Parameters<typeof approvalBy>[1] = {}): RunEvent {
  return { type: 'override-given', body: { signed: approvalBy(person, { override: step, ...more }) } };
}

const gates = [
  'gate-artifacts',
  'gate-secrets',
  'gate-telemetry',
  'gate-egress',
  'gate-canary',
  'gate-fallback',
] as const;

test('a step is pending, running, finished; what a crash left running is ready again', () => {
  assert.deepEqual(
    readySteps(fold()).map((step) => step.id),
    ['declare'],
  );
  const running = fold(started('declare'));
  assert.deepEqual(running.steps.declare, { status: 'running', attempts: 1, startedAtMs: at(1) });
  assert.deepEqual(
    readySteps(running).map((step) => step.id),
    ['declare'],
  );
  const done = fold(started('declare'), finished('declare'));
  const step = done.steps.declare;
  assert.ok(step?.status === 'finished');
  assert.deepEqual([step.startedAtMs, step.endedAtMs, step.verdict], [at(1), at(2), 'pass']);
  assert.deepEqual(
    readySteps(done).map((one) => one.id),
    ['gate-artifacts', 'gate-secrets', 'gate-telemetry', 'gate-egress'],
  );
});

test('no verdict but a pass lets the run go on', () => {
  for (const verdict of ['fail', 'inconclusive', 'error'] as const) {
    const state = fold(finished('declare', verdict));
    assert.equal(isThrough(state, 'declare'), false, verdict);
    assert.deepEqual(readySteps(state), []);
  }
});

test('a resumed run opens what did not pass and keeps what did, with the attempts counted on', () => {
  const stopped = [
    finished('declare'),
    finished('gate-egress'),
    finished('gate-secrets', 'fail'),
    { type: 'run-stopped', body: { step: 'gate-secrets', reason: 'drift' } },
  ] as const;
  assert.deepEqual(fold(...stopped).stoppedAt, { step: 'gate-secrets', reason: 'drift' });
  const state = fold(...stopped, { type: 'run-resumed', body: { by: 'jonas' } });
  assert.equal(state.phase, 'running');
  assert.equal(state.stoppedAt, undefined);
  assert.deepEqual(state.steps['gate-secrets'], { status: 'pending', attempts: 1 });
  assert.equal(state.steps['gate-egress']?.status, 'finished');
});

test('a resumed run keeps a verdict that two people passed over', () => {
  const state = fold(
    finished('gate-secrets', 'fail'),
    overridden('mei', 'gate-secrets'),
    overridden('rafael', 'gate-secrets'),
    { type: 'run-resumed', body: { by: 'jonas' } },
  );
  assert.equal(state.steps['gate-secrets']?.status, 'finished');
  assert.equal(isThrough(state, 'gate-secrets'), true);
});

test('an override needs two different people who both say yes', () => {
  const failed = finished('gate-secrets', 'fail');
  const through = (...events: RunEvent[]): boolean => isThrough(fold(failed, ...events), 'gate-secrets');
  assert.equal(through(overridden('mei', 'gate-secrets')), false);
  assert.equal(through(overridden('mei', 'gate-secrets'), overridden('mei', 'gate-secrets')), false);
  assert.equal(through(overridden('mei', 'gate-secrets'), overridden('rafael', 'gate-egress')), false);
  assert.equal(
    through(overridden('mei', 'gate-secrets'), overridden('rafael', 'gate-secrets', { decision: 'reject' })),
    false,
  );
  assert.equal(through(overridden('mei', 'gate-secrets'), overridden('rafael', 'gate-secrets')), true);
});

test('only gates can be passed over, and neither the declaration nor the approval', () => {
  for (const { id, gate } of examplePlan('failover').steps) {
    const state = fold(overridden('mei', id), overridden('rafael', id));
    assert.equal(isOverridden(state, id), gate && id !== 'declare' && id !== 'approval', id);
  }
});

test('an override of a step that has not finished yet lets nothing through', () => {
  const state = fold(overridden('mei', 'gate-secrets'), overridden('rafael', 'gate-secrets'));
  assert.equal(isThrough(state, 'gate-secrets'), false);
});

test('approvals count one per person, none from the initiator, none expired, none that says no', () => {
  const state = fold(
    approved('amara'),
    approved('mei'),
    approved('mei'),
    approved('rafael', { expiresAtMs: at(50) }),
    approved('jonas', { decision: 'reject' }),
  );
  const people = (atMs: number): string[] => standingApprovals(state, atMs).map((entry) => entry.person);
  assert.deepEqual(people(at(49)), ['mei', 'rafael']);
  assert.deepEqual(people(at(50)), ['mei']);
});

test('somebody whose approval expired may approve again', () => {
  const state = fold(approved('mei', { expiresAtMs: at(5) }), approved('mei'));
  assert.deepEqual(standingApprovals(state, at(10)), [{ person: 'mei', atMs: at(2) }]);
});

test('gates that expired are open again and keep their count', () => {
  const state = fold(finished('gate-egress'), { type: 'gates-expired', body: { steps: ['gate-egress', 'approval'] } });
  assert.deepEqual(state.steps['gate-egress'], { status: 'pending', attempts: 1 });
});

test('the outcome tells an override for good, and only where a verdict was really passed over', () => {
  const both = [overridden('mei', 'gate-secrets'), overridden('rafael', 'gate-secrets')] as const;
  assert.equal(outcomeOf(fold(finished('gate-secrets', 'fail'), ...both)), 'completed with override');
  assert.equal(outcomeOf(fold(finished('gate-secrets'), ...both)), 'completed');
});

test('the parts of the recovery time add up to the whole, and deciding ends with the last required approval', () => {
  const state = fold(
    finished('declare'),
    ...gates.map((id) => finished(id)),
    approved('mei'),
    approved('rafael'),
    finished('approval'),
    finished('fence'),
    finished('traffic'),
    finished('watch'),
  );
  const rto = rtoOf(state);
  assert.deepEqual(rto, { detect: 90, decide: 10, execute: 2, verify: 1, total: 103 });
  assert.equal(rto.detect + rto.decide + rto.execute + rto.verify, rto.total);
});

test('with early approvals deciding lasts until the gates are through', () => {
  const state = fold(
    approved('mei'),
    approved('rafael'),
    ...gates.map((id) => finished(id)),
    finished('approval'),
    finished('traffic'),
    finished('watch'),
  );
  assert.equal(rtoOf(state)?.decide, 9);
});

test('there is no recovery time before traffic moved and was watched', () => {
  assert.equal(rtoOf(fold(finished('traffic'))), undefined);
  assert.equal(rtoOf(fold(finished('watch'))), undefined);
});

test('authority, seal and addenda are folded as they came', () => {
  const epoch = { generation: 1, number: 2 };
  const roles = { home: 'fenced', partner: 'standby' } as const;
  const state = fold(
    { type: 'authority-moved', body: { epoch, roles, why: 'fence' } },
    { type: 'run-finished', body: { outcome: 'completed', by: 'engine', reason: '' } },
    { type: 'run-sealed', body: { file: 'f', head: 'h' } },
    { type: 'addendum-sealed', body: { file: 'g', head: 'i', what: 'return of home' } },
  );
  assert.deepEqual([state.epochBefore.number, state.epoch, state.roles], [1, epoch, roles]);
  assert.deepEqual([state.phase, state.outcome, state.finishedAtMs], ['finished', 'completed', at(2)]);
  assert.equal(state.sealed?.head, 'h');
  assert.equal(state.addenda.length, 1);
  assert.equal(state.sequence, 5);
});

test('a log that does not begin with its opening is a bug, and is called one', () => {
  const event: LoggedRunEvent = { ...started('declare'), sequence: 1, atMs: 0 };
  assert.throws(() => foldRun([event]), { code: 'BUG' });
  assert.throws(() => foldRun([]), { code: 'BUG' });
});
