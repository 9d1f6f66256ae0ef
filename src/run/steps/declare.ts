// Step 1: what happened, who says so, and whether the roles allow this run at all.

import { formatEpoch, type Finding } from '#base';
import { failed, passed, resultOf, type StepContext, type StepResult } from '../step.ts';
import { takeSnapshot } from './snapshot.ts';

const stateTimeoutMs = 3_000;

export async function declare(context: StepContext): Promise<StepResult> {
  const { world } = context;
  const { plan, initiator, reason } = context.state();
  const authority = world.authority.authority();
  const findings: Finding[] = [passed('declaration', `${plan.kind} declared by ${initiator}: ${reason}`)];
  const roles = authority.roles;
  findings.push(
    roles[plan.from] === 'active' && roles[plan.to] === 'standby'
      ? passed('roles', `${plan.from} is active, ${plan.to} is standby, epoch ${formatEpoch(authority.epoch)}`)
      : failed(
          'roles',
          `${plan.from} is ${roles[plan.from]}, ${plan.to} is ${roles[plan.to]}`,
          `a ${plan.kind} needs ${plan.from} active and ${plan.to} standby; let reverse replication finish first`,
        ),
  );
  const fromAnswers = await answers(context);
  const planned = plan.kind === 'switchover' || plan.kind === 'failback';
  if (planned && !fromAnswers) {
    findings.push(
      failed(`region ${plan.from}`, 'it does not answer', 'a planned move needs both regions; use failover'),
    );
  } else {
    findings.push(passed(`region ${plan.from}`, fromAnswers ? 'it answers' : 'it does not answer'));
  }
  const facts = { fromAnswers };
  if (plan.kind !== 'drill') return resultOf(findings, facts);
  return resultOf(findings, { ...facts, before: await takeSnapshot(world, context.reading(60_000)) });
}

async function answers(context: StepContext): Promise<boolean> {
  try {
    await context.world.agents[context.state().plan.from].state(context.reading(stateTimeoutMs));
    return true;
  } catch {
    context.signal.throwIfAborted();
    return false;
  }
}
