// Step 8: waits until enough people have approved this very plan; gates that grew too old meanwhile are run again.

import type { Facts } from '../events.ts';
import { isThrough, standingApprovals, type RunState } from '../fold.ts';
import { passed, resultOf, type StepContext, type StepResult } from '../step.ts';

export async function approval(context: StepContext): Promise<StepResult> {
  const { clock } = context.world;
  const enough = (state: RunState): boolean =>
    state.phase !== 'running' || standingApprovals(state, clock.wallMs()).length >= state.plan.approvals;
  const state = await context.log.until(enough, context.signal);
  const people = standingApprovals(state, clock.wallMs());
  if (state.phase !== 'running') return { verdict: 'inconclusive', findings: [], facts: {} };
  const expired = gatesOlderThan(state, clock.wallMs() - state.plan.targets.gateMaxAgeSeconds * 1_000);
  const finding = passed('approval', `approved by ${people.map((entry) => entry.person).join(' and ')}`);
  return resultOf([finding], { approvedBy: people, expired, lastAtMs: people.at(state.plan.approvals - 1)?.atMs ?? 0 });
}

/** Gates whose verdict is older than the declared age. */
export function gatesOlderThan(state: RunState, oldestMs: number): RunState['plan']['steps'][number]['id'][] {
  return state.plan.steps
    .filter((step) => step.gate && step.id.startsWith('gate-') && isThrough(state, step.id))
    .filter((step) => {
      const found = state.steps[step.id];
      return found?.status === 'finished' && found.endedAtMs < oldestMs;
    })
    .map((step) => step.id);
}

/** Gates that the approval step found too old, to be run again before the fence. */
export function expiredGates(facts: Facts): RunState['plan']['steps'][number]['id'][] {
  const expired = facts['expired'];
  return Array.isArray(expired) ? (expired as RunState['plan']['steps'][number]['id'][]) : [];
}
