// Step 9: the old region loses the right to act. The epoch grows in the ledger in the same transaction as the run's event;
// the step passes when the old region says that it dropped its rights, or its lease has certainly run out.

import { assert, compareEpochs, describeError, formatEpoch, type Finding } from '#base';
import type { Schedule } from '#connectors';
import { failed, passed, resultOf, type StepContext, type StepResult } from '../step.ts';

const tellTimeoutMs = 2_000;
const leaseTimeoutMs = 330_000; // the longest lease a stamp may declare is five minutes
const holdTimeoutMs = 30_000;
const listingTimeoutMs = 30_000;

export async function fence(context: StepContext): Promise<StepResult> {
  await moveEpoch(context);
  const fencedAtMs = fencedAt(context);
  const findings = [await waitForRights(context)];
  const held = await holdSchedules(context);
  return resultOf([...findings, ...held.findings], { fencedAtMs, unfenced: held.unfenced });
}

/** Epoch + 1, once per run however often the step is repeated. */
async function moveEpoch(context: StepContext): Promise<void> {
  const state = context.state();
  const { plan, epochBefore } = state;
  if (compareEpochs(state.epoch, epochBefore) > 0) return;
  const roles = { ...context.world.authority.authority().roles, [plan.from]: 'fenced' as const };
  const epoch = { generation: epochBefore.generation, number: epochBefore.number + 1 };
  await context.log.appendBy([{ type: 'authority-moved', body: { epoch, roles, why: 'fence' } }], (append) =>
    context.world.authority.move({ expected: epochBefore, roles, by: context.log.run }, append),
  );
}

/** When the epoch grew, from the log: repeated after a crash, the step must not name a later time. */
function fencedAt(context: StepContext): number {
  const moved = context.log.events.find((event) => event.type === 'authority-moved' && event.body.why === 'fence');
  assert(moved, 'the epoch has grown by now');
  return moved.atMs;
}

async function waitForRights(context: StepContext): Promise<Finding> {
  const { authority, agents } = context.world;
  const { from } = context.state().plan;
  const subject = `right of ${from} to act`;
  try {
    const told = await agents[from].tell(authority.authority(), context.reading(tellTimeoutMs));
    if (!told.mayAct && told.epoch && compareEpochs(told.epoch, context.state().epoch) >= 0) {
      authority.acknowledge(from, context.state().epoch);
      return passed(subject, `it acknowledged epoch ${formatEpoch(told.epoch)}`);
    }
  } catch {
    context.signal.throwIfAborted();
  }
  try {
    await authority.waitUntilRanOut(from, AbortSignal.any([context.signal, AbortSignal.timeout(leaseTimeoutMs)]));
    return passed(subject, 'its lease has run out on the ledger’s clock');
  } catch (error) {
    context.signal.throwIfAborted();
    return failed(subject, `its lease did not run out: ${describeError(error)}`, 'resume the run');
  }
}

/** Databricks obeys no lease: its schedules are held if it can be reached, else listed by name. */
async function holdSchedules(context: StepContext): Promise<{ findings: Finding[]; unfenced: string[] }> {
  const { schedules } = context.world;
  const { from, to } = context.state().plan;
  const { accepted } = context.state();
  try {
    const awake = (await schedules.schedules(from, context.reading(listingTimeoutMs))).filter((one) => !one.paused);
    for (const schedule of awake) await schedules.hold(from, schedule.job, context.reading(holdTimeoutMs));
    return { findings: [passed(`schedules of ${from}`, `${awake.length} held, none left running`)], unfenced: [] };
  } catch {
    context.signal.throwIfAborted();
  }
  const known = await schedules.schedules(to, context.reading(listingTimeoutMs));
  const unfenced = known.filter((schedule) => !schedule.wantedPaused);
  return {
    findings: unfenced.map((schedule) => unfencedFinding(schedule, { from, accepted })),
    unfenced: unfenced.map((one) => one.job),
  };
}

function unfencedFinding(
  schedule: Schedule,
  options: { from: string; accepted: readonly { job: string; reason: string; by: string }[] },
): Finding {
  const subject = `schedule ${schedule.job} at ${options.from}`;
  const accepted = options.accepted.find((entry) => entry.job === schedule.job);
  return accepted
    ? passed(
        subject,
        `cannot be held while the region is gone; double execution accepted (${accepted.by}: ${accepted.reason})`,
      )
    : passed(subject, 'cannot be held while the region is gone; its twin stays held until somebody accepts it by name');
}
