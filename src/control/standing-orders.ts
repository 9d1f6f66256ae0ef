// Standing orders: when a fenced region returns, its schedules are held at once, what it fired meanwhile is counted and
// sealed as an addendum, and it is brought up to date in reverse until it may be standby again. A standing order repairs; it
// never fences.

import { codeOf, describeError, type Site } from '#base';
import type { ActContext, JobRun } from '#connectors';
import { standingOrdersKey, type RunLog, type StandingOrders, type World } from '#run';
import { sealAddendum, type SealSources } from './seal-run.ts';

const callTimeoutMs = 30_000;
const syncTimeoutMs = 120_000;

export interface ReturnReport {
  readonly site: Site;
  readonly held: readonly string[];
  readonly firings: readonly (JobRun & { readonly accepted: string | null })[];
  readonly drift: number;
}

export interface OrderSources extends SealSources {
  readonly signal: AbortSignal;
  /** The one writer of a run's log in this process. */
  readonly logOf: (run: string) => Promise<RunLog>;
}

/** One round; true when the fenced site has become standby (or nothing was fenced). Failures are logged and retried. */
export async function followOrders(world: World, sources: OrderSources): Promise<boolean> {
  const cell = await world.ledger.get(standingOrdersKey);
  const orders = cell?.value as unknown as StandingOrders | null | undefined;
  if (!orders || world.authority.authority().roles[orders.site] !== 'fenced') return true;
  const reading = () => ({ signal: AbortSignal.any([sources.signal, AbortSignal.timeout(callTimeoutMs)]) });
  try {
    for (const schedule of await world.schedules.schedules(orders.site, reading())) {
      if (schedule.paused) continue;
      await world.schedules.hold(orders.site, schedule.job, reading());
    }
    await world.agents[orders.site].tell(world.authority.authority(), reading());
    const drift = await reverseReplicate(world, orders, sources.signal);
    if (drift > 0) return false;
    const log = await sources.logOf(orders.run);
    // An addendum adds to a seal: until the run has its own, the region stays fenced.
    if (!log.state.sealed) return false;
    // Read last: nothing can fire once every schedule is held, so this list is complete.
    const runs = await world.schedules.runsSince(orders.site, orders.fencedAtMs, reading());
    const held = (await world.schedules.schedules(orders.site, reading()))
      .filter((schedule) => schedule.paused && !schedule.wantedPaused)
      .map((schedule) => schedule.job);
    await sealReturn(log, orders, { site: orders.site, held, firings: withAcceptance(runs, orders), drift }, sources);
    await becomeStandby(world, orders);
    return true;
  } catch (error) {
    sources.signal.throwIfAborted();
    world.log({ code: codeOf(error), message: `standing order for ${orders.site}: ${describeError(error)}` });
    return false;
  }
}

/** The active site leads; returns what still differs. */
async function reverseReplicate(world: World, orders: StandingOrders, signal: AbortSignal): Promise<number> {
  const authority = world.authority.authority();
  const active = orders.site === 'home' ? 'partner' : 'home';
  const report = await world.replicator.sync(active, (name): ActContext => ({
    signal: AbortSignal.any([signal, AbortSignal.timeout(syncTimeoutMs)]),
    epoch: authority.epoch,
    act: `orders/${orders.run}/${name}`,
    assertMayAct: () => world.authority.assertCurrent(authority.epoch),
  }));
  const unknown = report.after.filter((entry) => entry.method !== 'live').length;
  return unknown + report.after.reduce((sum, entry) => sum + entry.drift.length, 0);
}

function withAcceptance(runs: readonly JobRun[], orders: StandingOrders): ReturnReport['firings'] {
  return runs.map((run) => ({
    ...run,
    accepted: orders.accepted.find((entry) => entry.job === run.job)?.reason ?? null,
  }));
}

async function sealReturn(
  log: RunLog,
  orders: StandingOrders,
  report: ReturnReport,
  sources: SealSources,
): Promise<void> {
  const what = `return of ${orders.site}`;
  if (log.state.addenda.some((addendum) => addendum.what === what)) return;
  await sealAddendum(log, { what, facts: { ...report, epoch: orders.epoch, fencedAtMs: orders.fencedAtMs } }, sources);
}

/** fenced → standby under the same epoch, in the same transaction as the event that says so. */
async function becomeStandby(world: World, orders: StandingOrders): Promise<void> {
  const { epoch, roles } = world.authority.authority();
  const next = { ...roles, [orders.site]: 'standby' as const };
  const stream = 'roles';
  const last = (await world.ledger.read(stream)).at(-1)?.sequence ?? 0;
  await world.authority.setRoles(
    { expected: epoch, roles: next, by: orders.run },
    {
      stream,
      expectedSequence: last,
      events: [{ type: 'became-standby', body: { site: orders.site, run: orders.run } }],
    },
  );
}
