// Step 13: the new region is watched for a while and standing orders are given; in a drill, production is compared with
// what it was before and the residue is listed by id.

import type { Finding } from '#base';
import { factsOf, type RunState } from '../fold.ts';
import { failed, passed, resultOf, type StepContext, type StepResult } from '../step.ts';
import { changedParts, takeSnapshot, type Snapshot } from './snapshot.ts';

const watchMs = 2_000;
const outsideTimeoutMs = 10_000;
const listingTimeoutMs = 60_000;

export const standingOrdersKey = 'standing-orders';

/** What is done by itself when a fenced region returns; kept in one cell of the ledger. */
export interface StandingOrders {
  readonly run: string;
  readonly site: RunState['plan']['from'];
  readonly epoch: RunState['epoch'];
  readonly fencedAtMs: number;
  readonly accepted: readonly { readonly job: string; readonly reason: string; readonly by: string }[];
}

export async function watch(context: StepContext): Promise<StepResult> {
  const { plan } = context.state();
  return plan.kind === 'drill' ? cleanUp(context) : watchNewRegion(context);
}

async function watchNewRegion(context: StepContext): Promise<StepResult> {
  const { world } = context;
  const state = context.state();
  const { plan } = state;
  await giveOrders(context, {
    run: state.run,
    site: plan.from,
    epoch: state.epoch,
    fencedAtMs: Number(factsOf(state, 'fence')['fencedAtMs']),
    accepted: state.accepted,
  });
  await world.clock.sleep(watchMs, context.signal);
  const answer = await world.askFromOutside(context.reading(outsideTimeoutMs));
  const site = await world.agents[plan.to].state(context.reading(outsideTimeoutMs));
  const findings: Finding[] = [
    answer.site === plan.to
      ? passed('answers', `${plan.to} answers in ${answer.mode} mode after ${watchMs / 1_000} s`)
      : failed('answers', `${answer.site} answered`, 'see the front door'),
    site.mayAct
      ? passed(`lease of ${plan.to}`, 'held')
      : failed(`lease of ${plan.to}`, 'lapsed', 'see whether its process reaches the controller'),
    passed('standing orders', `${plan.from} is fenced on return and brought up to date in reverse`),
  ];
  return resultOf(findings);
}

async function giveOrders(context: StepContext, orders: StandingOrders): Promise<void> {
  const { ledger } = context.world;
  const cell = await ledger.get(standingOrdersKey);
  await ledger.put(standingOrdersKey, JSON.parse(JSON.stringify(orders)) as never, cell?.version ?? 0);
}

async function cleanUp(context: StepContext): Promise<StepResult> {
  const state = context.state();
  const before = factsOf(state, 'declare')['before'] as Snapshot;
  const after = await takeSnapshot(context.world, context.reading(listingTimeoutMs));
  const changed = changedParts(before, after);
  const residue = state.plan.steps.flatMap((step) => {
    const left = factsOf(state, step.id)['residue'];
    return Array.isArray(left) ? (left as string[]) : [];
  });
  const finding =
    changed.length === 0
      ? passed('production', `${Object.keys(after).length} parts are as they were before the drill`)
      : failed('production', `changed during the drill: ${changed.join(', ')}`, 'find out who changed them');
  return resultOf([finding, passed('residue', `${residue.length} items remain by design`)], { residue, after });
}
