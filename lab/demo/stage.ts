// What the acts of the demo share: the running lab, the client's traffic, and people who act through the control API.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { formatEpoch, systemClock, type Site } from '#base';
import { controlClient, signStatement, type ControlClient, type Status } from '#control';
import type { RunKind } from '#runbook';
import type { RunState } from '#run';
import { loadStamp, type Stamp } from '#stamp';
import type { Lab } from '../mod.ts';
import type { TrafficProcess } from '../traffic/mod.ts';

export type RunView = RunState & { readonly summary: Readonly<Record<string, unknown>> };

export interface Stage {
  readonly lab: Lab;
  readonly stamp: Stamp;
  readonly traffic: TrafficProcess;
  as(person: string): ControlClient;
  privateKey(person: string): string;
}

export async function openStage(lab: Lab, traffic: TrafficProcess): Promise<Stage> {
  const loaded = await loadStamp(lab.layout.stampFile);
  if (!loaded.ok) throw new Error('the lab’s own stamp does not check');
  const { stamp } = loaded;
  const privateKey = (person: string): string =>
    readFileSync(join(lab.layout.directory, 'keys', `${person}.pem`), 'utf8');
  return {
    lab,
    stamp,
    traffic,
    privateKey,
    as: (person) => controlClient({ stamp, person, privateKeyPem: privateKey(person), clock: systemClock }),
  };
}

/** Waits for a condition with a deadline; the message says what did not happen. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + timeoutMs;
  let last: unknown;
  while (systemClock.monotonicMs() < deadlineMs) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    await systemClock.sleep(150);
  }
  throw new Error(
    `${what} did not happen within ${timeoutMs / 1_000} s${last instanceof Error ? `: ${last.message}` : ''}`,
  );
}

export const runOf = async (stage: Stage, run: string): Promise<RunView> =>
  (await stage.as('ada').get(`/api/runs/${run}`)) as RunView;

export const statusOf = async (stage: Stage): Promise<Status> => (await stage.as('ada').get('/api/status')) as Status;

/** Starts a run as ada and returns when every gate has passed and only people are missing. */
export async function startAndPassGates(
  stage: Stage,
  request: { kind: RunKind; reason: string; incidentAtMs?: number; accept?: { job: string; reason: string }[] },
): Promise<RunView> {
  const opened = (await stage.as('ada').post('/api/runs', request)) as RunView;
  const view = await until(
    `gates of the ${request.kind}`,
    async () => {
      const now = await runOf(stage, opened.run);
      if (now.phase === 'stopped') return now;
      return now.steps.approval?.status === 'running' ? now : undefined;
    },
    180_000,
  );
  if (view.phase === 'stopped')
    throw new Error(`${view.run} stopped at ${view.stoppedAt?.step}: ${view.stoppedAt?.reason}`);
  return view;
}

/** Approves as the given people; resolves to the wall time of the last approval. */
export async function approveBy(stage: Stage, view: RunView, people: readonly string[]): Promise<number> {
  for (const person of people) {
    const statement = {
      run: view.run,
      planHash: view.planHash,
      epoch: formatEpoch(view.epochBefore),
      decision: 'approve' as const,
      expiresAtMs: systemClock.wallMs() + 600_000,
      comment: 'demo',
    };
    const signed = signStatement(statement, { person, privateKeyPem: stage.privateKey(person) });
    await stage.as(person).post(`/api/runs/${view.run}/approvals`, signed);
  }
  return systemClock.wallMs();
}

export async function untilSealed(stage: Stage, run: string): Promise<RunView> {
  const view = await until(
    `seal of ${run}`,
    async () => {
      const now = await runOf(stage, run);
      return now.phase === 'stopped' || now.sealed ? now : undefined;
    },
    180_000,
  );
  if (view.phase === 'stopped') throw new Error(`${run} stopped at ${view.stoppedAt?.step}: ${view.stoppedAt?.reason}`);
  return view;
}

export interface WorkspaceSchedule {
  readonly name: string;
  readonly paused: boolean;
}

/** The schedules of a workspace as the vendor itself tells them, not through Understudy. */
export async function vendorSchedules(stage: Stage, site: Site): Promise<WorkspaceSchedule[]> {
  const response = await request(`${stage.lab.url(`databricks-${site}`)}/api/2.2/jobs/list?limit=100`, {
    headers: { authorization: `Bearer ${stage.lab.layout.secret(`databricks-${site}`)}` },
  });
  const body = (await response.body.json()) as {
    jobs?: { settings: Record<string, { pause_status?: string } | undefined> & { name: string } }[];
  };
  return (body.jobs ?? []).flatMap(({ settings }) => {
    const schedule = settings['schedule'] ?? settings['continuous'] ?? settings['trigger'];
    return schedule ? [{ name: settings.name, paused: schedule.pause_status === 'PAUSED' }] : [];
  });
}
