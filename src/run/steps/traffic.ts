// Step 11: the standby becomes active, the front door is moved, and an answer is seen from outside.

import { describeError, type Finding } from '#base';
import { failed, passed, resultOf, type StepContext, type StepResult } from '../step.ts';

const leaseTimeoutMs = 30_000;
const moveTimeoutMs = 120_000;
const outsideTimeoutMs = 30_000;
const pauseMs = 100;

export async function traffic(context: StepContext): Promise<StepResult> {
  await activate(context);
  const { plan } = context.state();
  const findings = [await waitForLease(context)];
  const act = await context.act(`to-${plan.to}`, moveTimeoutMs);
  await context.world.traffic.move(plan.to, act);
  const enabled = await context.world.traffic.enabled(context.reading(moveTimeoutMs));
  findings.push(
    enabled[plan.to] && !enabled[plan.from]
      ? passed('front door', `${plan.to} enabled, ${plan.from} disabled`)
      : failed('front door', `enabled: ${JSON.stringify(enabled)}`, 'resume the run'),
  );
  const seen = await seeFromOutside(context);
  return resultOf([...findings, seen.finding], { answeredAtMs: seen.atMs });
}

/** standby → active under the run's epoch, once however often the step is repeated. */
async function activate(context: StepContext): Promise<void> {
  const { authority } = context.world;
  const { plan, epoch } = context.state();
  const now = authority.authority();
  if (now.roles[plan.to] === 'active') return;
  const roles = { ...now.roles, [plan.to]: 'active' as const };
  await context.log.appendBy([{ type: 'authority-moved', body: { epoch, roles, why: 'activate' } }], (append) =>
    authority.setRoles({ expected: epoch, roles, by: context.log.run }, append),
  );
}

async function waitForLease(context: StepContext): Promise<Finding> {
  const { world } = context;
  const { to } = context.state().plan;
  const deadlineMs = world.clock.monotonicMs() + leaseTimeoutMs;
  let last = 'it was not asked';
  while (world.clock.monotonicMs() < deadlineMs) {
    try {
      const told = await world.agents[to].tell(world.authority.authority(), context.reading(2_000));
      if (told.mayAct) return passed(`lease of ${to}`, 'held by its own process');
      last = 'it holds no lease yet';
    } catch (error) {
      context.signal.throwIfAborted();
      last = describeError(error);
    }
    await world.clock.sleep(pauseMs, context.signal);
  }
  return failed(`lease of ${to}`, last, `see why the process of ${to} does not renew, then resume`);
}

async function seeFromOutside(context: StepContext): Promise<{ finding: Finding; atMs: number }> {
  const { world } = context;
  const { to } = context.state().plan;
  const subject = 'answer from outside';
  const deadlineMs = world.clock.monotonicMs() + outsideTimeoutMs;
  let last = 'nothing answered';
  while (world.clock.monotonicMs() < deadlineMs) {
    try {
      const answer = await world.askFromOutside(context.reading(outsideTimeoutMs));
      if (answer.site === to) {
        return { finding: passed(subject, `${to} answered in ${answer.mode} mode`), atMs: world.clock.wallMs() };
      }
      last = `${answer.site} answered`;
    } catch (error) {
      context.signal.throwIfAborted();
      last = describeError(error);
    }
    await world.clock.sleep(pauseMs, context.signal);
  }
  return { finding: failed(subject, last, 'see the front door’s health, then resume'), atMs: 0 };
}
