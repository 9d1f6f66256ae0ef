// The acts of the demo, in order. Each returns what the judge needs; nothing here decides whether a promise held.

import { systemClock } from '#base';
import { rateLimited, serverFailure } from '../model/mod.ts';
import type { DependencyDrift, SyncReport } from '#replication';
import {
  approveBy,
  startAndPassGates,
  statusOf,
  until,
  untilSealed,
  vendorSchedules,
  type RunView,
  type Stage,
} from './stage.ts';

export interface Replicated {
  readonly artifacts: number;
  readonly driftBefore: number;
  readonly driftAfter: number;
  readonly twins: number;
  readonly heldAtPartner: boolean;
}

const driftCount = (drift: readonly DependencyDrift[]): number =>
  drift.reduce((sum, entry) => sum + entry.drift.length, 0);

/** Sync until there is no drift and the partner's jobs are held. */
export async function replicate(stage: Stage, driftBefore: number): Promise<Replicated> {
  const last = await until('a sync without drift', async () => {
    const report = (await stage.as('ada').post('/api/sync', {})) as SyncReport;
    const whole = report.after.every((entry) => entry.method === 'live');
    return whole && driftCount(report.after) === 0 ? report : undefined;
  });
  await stage.as('ada').post('/api/sync', { recordCanary: true });
  const schedules = await vendorSchedules(stage, 'partner');
  return {
    artifacts: last.after.reduce((sum, entry) => sum + entry.artifacts, 0),
    driftBefore,
    driftAfter: driftCount(last.after),
    twins: last.after.reduce((sum, entry) => sum + entry.twins.length, 0),
    heldAtPartner: schedules.length > 0 && schedules.every((schedule) => schedule.paused),
  };
}

export async function driftNow(stage: Stage): Promise<{ count: number; twins: number }> {
  const found = (await stage.as('ada').get('/api/drift')) as { dependencies: DependencyDrift[] };
  return {
    count: driftCount(found.dependencies),
    twins: found.dependencies.reduce((sum, entry) => sum + entry.twins.length, 0),
  };
}

/** The first model fails, then answers 429, then the other region fails too: answers keep coming from the declared rungs. */
export async function providerTrouble(stage: Stage): Promise<void> {
  const before = (await stage.traffic.summary()).byRung;
  const more = async (rung: string): Promise<boolean> =>
    ((await stage.traffic.summary()).byRung[rung] ?? 0) > (before[rung] ?? 0) + 50;
  await stage.lab.setFaults('model-home', [serverFailure(503)]);
  await until('answers from the other region', () => more('other-region'));
  await stage.lab.setFaults('model-home', [rateLimited({ 'retry-after': '1' })]);
  await stage.lab.setFaults('model-partner', [serverFailure(500)]);
  await until('answers from the backup model', () => more('backup'));
  await stage.lab.setFaults('model-backup', [serverFailure(503)]);
  await until('answers from the message rung', () => more('message'));
  for (const model of ['model-home', 'model-partner', 'model-backup']) await stage.lab.setFaults(model, []);
  const models = (await stage.traffic.summary()).byRung['model'] ?? 0;
  await until(
    'answers from the first model again',
    async () => ((await stage.traffic.summary()).byRung['model'] ?? 0) > models + 50,
  );
}

export interface Moved {
  readonly view: RunView;
  readonly lastApprovalAtMs: number;
}

export async function loseHome(stage: Stage): Promise<number> {
  // Some exchanges must be running, streams among them, when the region goes.
  await until('running requests', async () => (await stage.traffic.summary()).inFlight >= 10);
  const lostAtMs = systemClock.wallMs();
  await stage.lab.lose('home');
  return lostAtMs;
}

export async function failover(stage: Stage, lostAtMs: number): Promise<Moved> {
  const view = await startAndPassGates(stage, {
    kind: 'failover',
    reason: 'the home region does not answer',
    incidentAtMs: lostAtMs,
    accept: [
      { job: 'live-index', reason: 'building the index twice gives the same index' },
      { job: 'nightly-features', reason: 'features are overwritten by key' },
      { job: 'orchestrate', reason: 'it only starts nightly-features' },
    ],
  });
  const lastApprovalAtMs = await approveBy(stage, view, ['grace', 'edsger']);
  return { view: await untilSealed(stage, view.run), lastApprovalAtMs };
}

/** Traffic on the partner, and its schedules firing there. */
export async function liveOnPartner(stage: Stage): Promise<void> {
  const before = (await stage.traffic.summary()).bySite['partner'] ?? 0;
  await until(
    'answers from the partner',
    async () => ((await stage.traffic.summary()).bySite['partner'] ?? 0) > before + 300,
  );
  await until('schedules released at the partner', async () => {
    const schedules = await vendorSchedules(stage, 'partner');
    return (
      schedules.some((schedule) => !schedule.paused) &&
      schedules.every((one) => one.paused === (one.name === 'weekly-report'))
    );
  });
}

/** The lost region returns, fires what the vendor fires, is fenced by the standing order, and becomes standby. */
export async function homeReturns(stage: Stage): Promise<void> {
  await stage.lab.restore('home');
  await until('home as standby', async () => (await statusOf(stage)).roles.home === 'standby', 120_000);
}

export async function failback(stage: Stage): Promise<Moved> {
  const view = await startAndPassGates(stage, { kind: 'failback', reason: 'home is back and up to date' });
  const lastApprovalAtMs = await approveBy(stage, view, ['grace', 'edsger']);
  return { view: await untilSealed(stage, view.run), lastApprovalAtMs };
}

export async function liveOnHome(stage: Stage): Promise<void> {
  const before = (await stage.traffic.summary()).bySite['home'] ?? 0;
  await until('answers from home', async () => ((await stage.traffic.summary()).bySite['home'] ?? 0) > before + 300);
}
