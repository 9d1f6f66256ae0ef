// Step 12: schedules released in dependency order, each only where its twin is proven held or a person accepted its double
// execution by name. What was missed meanwhile is listed per job; nothing is caught up unless somebody starts it.

import { codeOf, type Finding, type Site } from '#base';
import type { Schedule } from '#connectors';
import { factsOf } from '../fold.ts';
import { failed, passed, resultOf, type StepContext, type StepResult } from '../step.ts';
import { firingsBetween } from './firings.ts';

const listingTimeoutMs = 30_000;
const releaseTimeoutMs = 30_000;

export async function schedules(context: StepContext): Promise<StepResult> {
  const { world } = context;
  const { plan, incidentAtMs } = context.state();
  const wanted = await world.schedules.schedules(plan.to, context.reading(listingTimeoutMs));
  const heldThere = await heldAt(plan.from, context);
  const findings: Finding[] = [];
  const accepted: { job: string; reason: string; by: string }[] = [];
  const missed: { job: string; firings: number; catchUp: string }[] = [];
  for (const schedule of inOrder(wanted)) {
    const subject = `schedule ${schedule.job}`;
    if (schedule.wantedPaused) {
      findings.push(passed(subject, 'stays paused: its owner paused it on purpose'));
      continue;
    }
    const grounds = acceptanceOf(schedule, { heldThere, accepted: context.state().accepted });
    if (!grounds) {
      findings.push(
        failed(
          subject,
          'held: its twin is not proven held and nobody accepted its double execution',
          `accept it by name: \`understudy resume ${context.log.run} --accept-double "${schedule.job}=REASON"\``,
        ),
      );
      continue;
    }
    await world.schedules.release(
      plan.to,
      schedule.job,
      await context.act(`release/${schedule.job}`, releaseTimeoutMs),
    );
    findings.push(passed(subject, `released: ${grounds.why}`));
    if (grounds.accepted) accepted.push(grounds.accepted);
    const firings = firingsBetween(schedule, { fromMs: incidentAtMs, toMs: world.clock.wallMs() });
    missed.push({ job: schedule.job, firings, catchUp: 'none: the next firing is at its next tick' });
  }
  if (wanted.length === 0) findings.push(passed(`schedules of ${plan.to}`, 'there are none'));
  return resultOf(findings, {
    acceptedDoubleExecution: accepted,
    missed,
    unfenced: factsOf(context.state(), 'fence')['unfenced'] ?? [],
  });
}

interface Grounds {
  readonly why: string;
  readonly accepted?: { readonly job: string; readonly reason: string; readonly by: string };
}

function acceptanceOf(
  schedule: Schedule,
  options: {
    heldThere: ReadonlySet<string> | undefined;
    accepted: readonly { job: string; reason: string; by: string }[];
  },
): Grounds | undefined {
  if (options.heldThere?.has(schedule.job)) return { why: 'its twin is proven held' };
  const accepted = options.accepted.find((entry) => entry.job === schedule.job);
  return accepted && { why: `double execution accepted by ${accepted.by}: ${accepted.reason}`, accepted };
}

/** Jobs proven held at a site; undefined when the site cannot be asked. */
async function heldAt(site: Site, context: StepContext): Promise<ReadonlySet<string> | undefined> {
  try {
    const found = await context.world.schedules.schedules(site, context.reading(listingTimeoutMs));
    return new Set(found.filter((schedule) => schedule.paused).map((schedule) => schedule.job));
  } catch (error) {
    context.signal.throwIfAborted();
    context.world.log({ code: codeOf(error), message: `the schedules of ${site} cannot be read` });
    return undefined;
  }
}

/** Jobs in the order of their dependencies; a job in a cycle keeps its place. */
export function inOrder(schedules: readonly Schedule[]): Schedule[] {
  const byJob = new Map(schedules.map((schedule) => [schedule.job, schedule]));
  const placed = new Set<string>();
  const order: Schedule[] = [];
  const place = (schedule: Schedule): void => {
    if (placed.has(schedule.job)) return;
    placed.add(schedule.job);
    for (const before of schedule.after) {
      const other = byJob.get(before);
      if (other) place(other);
    }
    order.push(schedule);
  };
  for (const schedule of schedules) place(schedule);
  return order;
}
