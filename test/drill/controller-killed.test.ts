// The controller is killed while it moves production, at a gate, in the fence and while traffic moves. Started again, it
// finishes the run from its log: once, under one new epoch, with evidence that verifies.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { formatEpoch, otherSite, systemClock } from '#base';
import type { StepId } from '#stamp';
import { actsOf, actsUnderOldEpoch, evidenceValid } from '../../lab/demo/judge.ts';
import { approveBy, runOf, statusOf, until, untilSealed, vendorSchedules, type RunView } from '../../lab/demo/stage.ts';
import {
  openDrillStage,
  originsOf,
  siteThatAnswers,
  untilNoDrift,
  untilSettled,
  type DrillStage,
} from './testing/stage.ts';

let stage: DrillStage;
before(async () => {
  stage = await openDrillStage();
});
after(() => stage?.close());

// Each run leads back to where the one before began.
void test('killed in a gate of a failover', (context) => survive(context, 'failover', 'gate-canary'));
void test('killed in the fence of a failback', (context) => survive(context, 'failback', 'fence'));
void test('killed while a switchover moves traffic', (context) => survive(context, 'switchover', 'traffic'));

async function survive(context: TestContext, kind: RunView['plan']['kind'], step: StepId): Promise<void> {
  const epochBefore = (await statusOf(stage)).epoch;
  const opened = (await stage.as('ada').post('/api/runs', { kind, reason: `a drill of ${step}` })) as RunView;
  const { from, to } = opened.plan;
  const killing = killAt(opened.run, step);
  if (!step.startsWith('gate-')) {
    await untilSettled(stage, opened.run);
    await approveBy(stage, opened, ['grace', 'edsger']);
  }
  await killing;
  await stage.lab.startProcess('controller');
  if (step.startsWith('gate-')) {
    await untilSettled(stage, opened.run);
    await approveBy(stage, opened, ['grace', 'edsger']);
  }
  const done = await untilSealed(stage, opened.run);

  // 1: it had just ended when the controller was killed.
  context.diagnostic(`${step} was begun ${done.steps[step]?.attempts} times`);
  assert.equal(done.outcome, 'completed');
  assert.deepEqual([done.plan.from, done.plan.to], [from, to]);
  assert.equal(epochBefore, formatEpoch(done.epochBefore));
  assert.deepEqual(done.epoch, { ...done.epochBefore, number: done.epochBefore.number + 1 }, 'one new epoch');
  await rolesAreRight(done);
  await evidenceIsWhole(done);
  const acts = await actsOf(stage);
  assert.ok(
    acts.some((act) => formatEpoch(act.epoch) === formatEpoch(done.epoch)),
    'the vendors saw the new epoch',
  );
  assert.deepEqual(actsUnderOldEpoch(acts), []);
  await untilNoDrift(stage);
}

/** SIGKILL as soon as the step is seen to have begun; it may just have ended. */
async function killAt(run: string, step: StepId): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + 60_000;
  for (;;) {
    const { steps, phase, stoppedAt } = await runOf(stage, run);
    assert.equal(phase, 'running', JSON.stringify(stoppedAt));
    if ((steps[step]?.attempts ?? 0) > 0) break;
    assert.ok(systemClock.monotonicMs() < deadlineMs, `${step} of ${run} never began`);
    await systemClock.sleep(20);
  }
  await stage.lab.killProcess('controller');
}

async function rolesAreRight(run: RunView): Promise<void> {
  const { from, to } = run.plan;
  const status = await until('the old region as standby', async () => {
    const now = await statusOf(stage);
    return now.roles[from] === 'standby' && now;
  });
  assert.equal(status.roles[to], 'active');
  assert.equal(status.epoch, formatEpoch(run.epoch), 'the epoch grew by one, no more');
  assert.equal(status.openRun, null);
  assert.deepEqual(await originsOf(stage), { [to]: 'Enabled', [from]: 'Disabled' });
  assert.equal(await siteThatAnswers(stage), to);
  const awake = async (site: typeof to): Promise<string[]> =>
    (await vendorSchedules(stage, site)).filter((one) => !one.paused).map((one) => one.name);
  assert.deepEqual(await awake(otherSite(to)), [], 'the old region holds every schedule');
  assert.deepEqual((await awake(to)).toSorted(), ['live-index', 'nightly-features', 'orchestrate']);
}

async function evidenceIsWhole(run: RunView): Promise<void> {
  const folder = join(stage.directory, 'partner', 'evidence');
  const { sealed, addenda } = await until(`the addendum of ${run.run}`, async () => {
    const now = await runOf(stage, run.run);
    return now.addenda.length > 0 && now;
  });
  const files = [sealed, ...addenda].flatMap((one) => (one ? [one.file] : []));
  const trusted = await readFile(join(stage.directory, 'keys', 'seal.pub.pem'), 'utf8');
  assert.deepEqual(await evidenceValid(files, folder, trusted), { valid: true, problems: [] });
  const text = await readFile(files[0] ?? '', 'utf8');
  const moves = [...text.matchAll(/"why":"(\w+)"/g)].map((match) => match[1]);
  assert.deepEqual(moves, ['fence', 'activate'], 'the authority moved once each way');
}
