// Step 10: what had not reached the standby when the old region was fenced, per data set, as a bound with its method.
// What a dead region held cannot be known while it is dead; exact figures follow as an addendum.

import { codeOf, describeError, type Finding } from '#base';
import type { DependencyDrift } from '#replication';
import { factsOf } from '../fold.ts';
import type { RpoBound } from '../outcome.ts';
import { failed, passed, resultOf, unclear, type StepContext, type StepResult } from '../step.ts';

const syncTimeoutMs = 120_000;
const flushTimeoutMs = 30_000;

export async function finalDelta(context: StepContext): Promise<StepResult> {
  const state = context.state();
  const fencedAtMs = Number(factsOf(state, 'fence')['fencedAtMs']);
  const rpo: Record<string, RpoBound> = { telemetry: await telemetryBound(context, fencedAtMs) };
  for (const drift of await lastSync(context)) {
    const bound = artifactBound(drift, fencedAtMs);
    const before = rpo[drift.dataSet];
    rpo[drift.dataSet] = before ? worse(before, bound) : bound;
  }
  const targets = state.plan.targets.rpoSeconds;
  const silentSeconds = await silenceBefore(context, fencedAtMs);
  const bounds = Object.fromEntries(
    Object.entries(rpo).map(([dataSet, bound]) => [dataSet, withLastSign(bound, silentSeconds)]),
  );
  return resultOf(
    Object.entries(bounds).map(([dataSet, bound]) => judge(dataSet, bound, targets[dataSet])),
    { rpo: bounds },
  );
}

/** With both regions up the rest is copied now; with the old one gone this only compares with what was last known. */
async function lastSync(context: StepContext): Promise<readonly DependencyDrift[]> {
  const { world } = context;
  const { from } = context.state().plan;
  if (!(await reachable(context))) return world.replicator.drift(from, context.reading(syncTimeoutMs));
  const act = await context.act('final-sync', syncTimeoutMs);
  const report = await world.replicator.sync(from, (name) => ({ ...act, act: `${act.act}/${name}` }));
  return report.after;
}

async function reachable(context: StepContext): Promise<boolean> {
  const { from } = context.state().plan;
  try {
    await context.world.agents[from].state(context.reading(2_000));
    return true;
  } catch {
    context.signal.throwIfAborted();
    return false;
  }
}

/** How long before the fence the old region gave its last sign: a report of its own, or the incident as declared. */
async function silenceBefore(context: StepContext, fencedAtMs: number): Promise<number> {
  if (await reachable(context)) return 0;
  const { plan, incidentAtMs } = context.state();
  const heartbeat = await context.world.heartbeat(plan.from);
  if (!heartbeat) return 0;
  return Math.max(0, fencedAtMs - Math.max(heartbeat.atMs, incidentAtMs)) / 1_000;
}

function withLastSign(bound: RpoBound, silentSeconds: number): RpoBound {
  if (bound.boundSeconds === null || silentSeconds === 0) return bound;
  const lastSignSeconds = Math.max(0, Math.round((bound.boundSeconds - silentSeconds) * 1_000)) / 1_000;
  return { ...bound, lastSignSeconds };
}

async function telemetryBound(context: StepContext, fencedAtMs: number): Promise<RpoBound> {
  const { world } = context;
  const { from, to } = context.state().plan;
  try {
    await world.agents[from].flush(context.reading(flushTimeoutMs));
    const progress = (await world.agents[from].state(context.reading(2_000))).telemetry[to];
    if (progress && progress.provenThroughMs >= fencedAtMs) {
      return { boundSeconds: 0, method: `every exchange up to the fence was read back from the Langfuse of ${to}` };
    }
  } catch (error) {
    context.signal.throwIfAborted();
    world.log({ code: codeOf(error), message: `final delta: ${from} cannot be asked: ${describeError(error)}` });
  }
  const heartbeat = await world.heartbeat(from);
  const proven = heartbeat?.telemetry[to]?.provenThroughMs;
  if (proven === undefined || proven <= 0) {
    return { boundSeconds: null, method: `${from} never reported what is proven in the Langfuse of ${to}` };
  }
  return {
    boundSeconds: Math.max(0, Math.ceil(fencedAtMs - proven)) / 1_000,
    method: `from the last exchange that ${from} reported as read back from the Langfuse of ${to} to the fence`,
  };
}

function artifactBound(drift: DependencyDrift, fencedAtMs: number): RpoBound {
  if (drift.method === 'live' && drift.drift.length === 0) {
    return { boundSeconds: 0, method: 'both regions listed after the fence, no difference' };
  }
  if (drift.provenEqualAtMs === 0) return { boundSeconds: null, method: 'the standby was never proven equal' };
  return {
    boundSeconds: Math.max(0, fencedAtMs - drift.provenEqualAtMs) / 1_000,
    method: 'from the last listing to which the standby was proven equal to the fence',
  };
}

function worse(a: RpoBound, b: RpoBound): RpoBound {
  if (a.boundSeconds === null) return a;
  if (b.boundSeconds === null) return b;
  return a.boundSeconds >= b.boundSeconds ? a : b;
}

function judge(dataSet: string, bound: RpoBound, targetSeconds: number | undefined): Finding {
  const subject = `RPO of ${dataSet}`;
  if (bound.boundSeconds === null)
    return unclear(subject, `unknown: ${bound.method}`, 'two people may override this gate');
  const judged = bound.lastSignSeconds ?? bound.boundSeconds;
  const upTo = bound.lastSignSeconds === undefined ? '' : `, ${bound.lastSignSeconds} s up to its last sign of life`;
  const detail = `at most ${bound.boundSeconds} s${upTo} (${bound.method})`;
  if (targetSeconds === undefined || judged <= targetSeconds) return passed(subject, detail);
  return failed(subject, `${detail}, target ${targetSeconds} s`, 'two people may override this gate');
}
