import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure, type Finding } from '#base';
import { authorityKey, openSqliteLedger, type Ledger } from '#ledger';
import type { RunKind } from '#runbook';
import { factsOf, type RunState } from './fold.ts';
import { RunLog } from './log.ts';
import { rpoOf, rtoOf } from './outcome.ts';
import { approvalBy, live, prepare, run, type Rehearsal } from './testing/rehearsed-run.ts';
import { PromptClock } from './testing/prompt-clock.ts';

let folder = '';
let ledger: Ledger;
let clock: PromptClock;
const file = (): string => join(folder, 'ledger.sqlite');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-run-'));
  clock = new PromptClock();
  ledger = await openSqliteLedger({ file: file(), clock });
});
afterEach(async () => {
  await ledger.close();
  await rm(folder, { recursive: true, force: true });
});

const prepared = (kind: RunKind): Promise<Rehearsal> => prepare(kind, ledger, clock);

function verdicts(state: RunState): Record<string, string> {
  return Object.fromEntries(
    Object.entries(state.steps).map(([id, step]) => [id, step.status === 'finished' ? step.verdict : step.status]),
  );
}

test('a failover with the home region gone makes the partner active and names what could not be held', async () => {
  const rehearsal = await prepared('failover');
  const state = await live(rehearsal);
  assert.deepEqual([...new Set(Object.values(verdicts(state)))], ['pass'], JSON.stringify(state.stoppedAt));
  assert.equal(state.outcome, 'completed');
  assert.deepEqual((await ledger.get(authorityKey))?.value, {
    epoch: { generation: 1, number: 2 },
    roles: { home: 'fenced', partner: 'active' },
    by: run,
  });
  assert.deepEqual(rehearsal.truth.enabled, { home: false, partner: true });
  assert.deepEqual(factsOf(state, 'fence')['unfenced'], ['nightly', 'features']);
  // In dependency order, each once, and never what its owner paused.
  assert.deepEqual(rehearsal.truth.effects, ['traffic partner', 'release partner features', 'release partner nightly']);
  assert.deepEqual([...rehearsal.truth.smokeRuns.values()], ['smoke-1']);
  assert.equal(rtoOf(state)?.detect, 0.5);
  assert.match(rpoOf(state)['artifacts']?.method ?? '', /last listing/);
  assert.ok((rpoOf(state)['telemetry']?.boundSeconds ?? 0) >= 1);
});

test('the dead region’s lease has run out before the partner may act', async () => {
  const rehearsal = await prepared('failover');
  const beganMs = clock.monotonicMs();
  await live(rehearsal);
  assert.ok(rehearsal.truth.sites.partner.leaseUntilMs > beganMs + 3_000);
  const log = await RunLog.load(ledger, run);
  const at = (type: string): number => log.events.find((event) => event.type === type)?.sequence ?? 0;
  const fence = log.events.find((event) => event.type === 'step-finished' && event.body.step === 'fence');
  assert.ok(at('authority-moved') < (fence?.sequence ?? 0));
});

test('a drill leaves production as it was and lists its residue', async () => {
  const rehearsal = await prepared('drill');
  const before = JSON.stringify(rehearsal.truth.summary());
  const state = await live(rehearsal);
  assert.equal(state.outcome, 'completed', JSON.stringify(state.stoppedAt));
  assert.equal(JSON.stringify(rehearsal.truth.summary()), before);
  assert.deepEqual(rehearsal.truth.effects, []);
  assert.equal(state.steps.fence, undefined);
  const residue = factsOf(state, 'watch')['residue'] as string[];
  assert.ok(residue.includes('smoke job run smoke-1 at partner'));
  assert.ok(residue.some((item) => item.startsWith('trace ')));
});

test('a gate that shows nothing does not pass', async () => {
  const rehearsal = await prepared('drill');
  const fallback = async (): Promise<{ findings: []; traceIds: [] }> => ({ findings: [], traceIds: [] });
  const state = await live({ ...rehearsal, replace: { fallback } });
  assert.deepEqual([state.stoppedAt?.step, verdicts(state)['gate-fallback']], ['gate-fallback', 'inconclusive']);
});

test('a drill during which production changed says so and does not complete', async () => {
  const rehearsal = await prepared('drill');
  const findings: Finding[] = [{ verdict: 'pass', subject: 'fallback', detail: 'answered' }];
  const fallback = async (): Promise<{ findings: Finding[]; traceIds: string[] }> => {
    rehearsal.truth.enabled = { home: true, partner: true };
    return { findings, traceIds: [] };
  };
  const state = await live({ ...rehearsal, replace: { fallback } });
  assert.deepEqual([state.phase, state.stoppedAt?.step, state.outcome], ['stopped', 'watch', undefined]);
  assert.equal(state.stoppedAt?.reason, 'production: changed during the drill: traffic');
});

test('a planned switchover holds the old schedules, carries what still arrived, and moves', async () => {
  const rehearsal = await prepared('switchover');
  const state = await live(rehearsal);
  assert.equal(state.outcome, 'completed', JSON.stringify(state.stoppedAt));
  assert.deepEqual(rehearsal.truth.effects, [
    'hold home nightly',
    'hold home features',
    'update partner job',
    'traffic partner',
    'release partner features',
    'release partner nightly',
  ]);
  assert.equal(rpoOf(state)['telemetry']?.boundSeconds, 0);
  assert.equal(rpoOf(state)['artifacts']?.boundSeconds, 0);
  assert.deepEqual([rehearsal.truth.sites.home.role, rehearsal.truth.sites.partner.role], ['fenced', 'active']);
});

test('a planned move needs both regions', async () => {
  const rehearsal = await prepared('switchover');
  rehearsal.truth.sites.home.gone = true;
  const state = await live(rehearsal);
  assert.deepEqual([state.phase, state.stoppedAt?.step], ['stopped', 'declare']);
});

test('a failed gate stops the run before anything is fenced; after mending, a resumed run completes', async () => {
  const rehearsal = await prepared('failover');
  rehearsal.truth.sites.partner.artifacts.delete('secret');
  const stopped = await live(rehearsal);
  assert.deepEqual([stopped.phase, stopped.stoppedAt?.step], ['stopped', 'gate-secrets']);
  assert.match(stopped.stoppedAt?.reason ?? '', /drift of secrets/);
  assert.deepEqual(stopped.epoch, { generation: 1, number: 1 });
  assert.deepEqual(rehearsal.truth.effects, []);
  const secret = rehearsal.truth.sites.home.artifacts.get('secret');
  assert.ok(secret);
  rehearsal.truth.sites.partner.artifacts.set('secret', secret);
  await (await RunLog.load(ledger, run)).append([{ type: 'run-resumed', body: { by: 'jonas' } }]);
  const state = await live(rehearsal);
  assert.equal(state.outcome, 'completed');
  assert.equal(state.steps['gate-secrets']?.attempts, 2);
  assert.equal(state.steps['gate-egress']?.attempts, 1);
});

test('a gate that two people override lets the run go on, and the outcome says so', async () => {
  const rehearsal = await prepared('failover');
  rehearsal.truth.sites.partner.artifacts.delete('secret');
  await live(rehearsal);
  const log = await RunLog.load(ledger, run);
  for (const person of ['mei', 'rafael']) {
    const signed = approvalBy(person, { override: 'gate-secrets' });
    await log.append([{ type: 'override-given', body: { signed } }]);
  }
  await log.append([{ type: 'run-resumed', body: { by: 'jonas' } }]);
  const state = await live(rehearsal);
  assert.equal(state.outcome, 'completed with override');
  assert.deepEqual([state.steps['gate-secrets']?.attempts, verdicts(state)['gate-secrets']], [1, 'fail']);
});

test('a step that throws is an error with its code, never a crash of the run', async () => {
  const rehearsal = await prepared('drill');
  const canary = (): never => {
    throw new Failure('CANARY_BROKEN', 'no baseline');
  };
  const state = await live({ ...rehearsal, replace: { canary } });
  const step = state.steps['gate-canary'];
  assert.ok(step?.status === 'finished');
  assert.equal(step.verdict, 'error');
  assert.match(step.findings[0]?.detail ?? '', /^CANARY_BROKEN: no baseline/);
});

test('gates that grew too old while the run waited for people are run again before the fence', async () => {
  const rehearsal = await prepared('failover');
  const { approval } = (await import('./verbs.ts')).defaultVerbs;
  let waited = false;
  const state = await live({
    ...rehearsal,
    verbs: {
      approval: async (context) => {
        if (!waited) clock.advance(16 * 60_000);
        waited = true;
        return approval(context);
      },
    },
  });
  assert.equal(state.steps['gate-egress']?.attempts, 2);
  assert.equal(state.steps.approval?.attempts, 2);
  const log = await RunLog.load(ledger, run);
  const finished = log.events.findIndex((event) => event.type === 'gates-expired');
  const before = log.events[finished - 1];
  assert.ok(before?.type === 'step-finished' && before.body.step === 'approval');
});

test('a newer epoch than the run’s own takes its right to act', async () => {
  const rehearsal = await prepared('failover');
  const askFromOutside = async (): Promise<never> => {
    throw new Failure('NOT_ANSWERED', 'not yet', { next: 'retry' });
  };
  await live({ ...rehearsal, replace: { askFromOutside } });
  const cell = await ledger.get(authorityKey);
  const newer = { epoch: { generation: 1, number: 9 }, roles: { home: 'fenced', partner: 'active' }, by: 'other' };
  await ledger.put(authorityKey, newer, cell?.version ?? 0);
  await (await RunLog.load(ledger, run)).append([{ type: 'run-resumed', body: { by: 'jonas' } }]);
  const state = await live(rehearsal);
  assert.equal(state.phase, 'stopped');
  assert.match(state.stoppedAt?.reason ?? '', /ACT_FENCED/);
});

test('a ledger closed and opened again between two lives loses nothing of the run', async () => {
  const rehearsal = await prepared('failover');
  rehearsal.truth.sites.partner.gone = true;
  const stopped = await live(rehearsal);
  assert.equal(stopped.phase, 'stopped');
  await ledger.close();
  ledger = await openSqliteLedger({ file: file(), clock });
  assert.deepEqual((await RunLog.load(ledger, run)).state, stopped);
});
