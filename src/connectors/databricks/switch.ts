// Schedules of one workspace: what they are, holding and releasing them, what ran since, and the smoke job. What the owner
// wants is kept in a tag of the job itself, so that no other store has to survive for a release.

import { codeOf, Failure, sha256, type Clock, type Finding } from '#base';
import type { ActContext, JobRun, ReadContext, Schedule } from '../port.ts';
import type { DatabricksClient } from './client.ts';
import { concurrently } from './concurrently.ts';
import { readsAtOnceMax } from './inventory.ts';
import { jobSettings, jobsPath, keyJobs, listJobs, ownerOf, targetOf, type ListedJob } from './jobs.ts';
import { idOf, listOf, membersOf, numberOf, textOf, wrongReply, type Members } from './json.ts';
import {
  formOf,
  keyTag,
  markerOf,
  neutralJob,
  pauseStatusOf,
  referencesOf,
  tagOf,
  wantedTag,
  type PauseStatus,
} from './neutral-job.ts';
import { regionMap } from './region-map.ts';

const runsPageLength = 20;
const runPagesMax = 1_000;
const pollMs = 250;
/** A job cluster takes minutes to start in Azure. */
const smokeDeadlineMs = 900_000;

/** Jobs with a schedule that may be written here; those owned by a bundle are in the inventory, with their owner. */
export async function schedulesOf(client: DatabricksClient, context: ReadContext): Promise<Schedule[]> {
  const jobs = await listJobs(client, context);
  const keys = keysById(jobs);
  const names = { jobName: (jobId: string) => keys.get(jobId), policyName: () => undefined };
  const scheduled = jobs.filter((job) => formOf(job.settings) !== undefined && ownerOf(job.settings) === undefined);
  const schedules = await concurrently(scheduled, readsAtOnceMax, async (job): Promise<Schedule | undefined> => {
    const settings = await jobSettings(client, job.jobId, context);
    const form = settings && formOf(settings);
    if (!settings || form === undefined) return undefined;
    const neutral = neutralJob(settings, { site: client.site, map: regionMap([]), names }).settings;
    const paused = pauseStatusOf(settings) === 'PAUSED';
    const wanted = wantedIn(settings);
    return {
      job: keys.get(job.jobId) ?? job.name,
      jobId: job.jobId,
      form,
      paused,
      wantedPaused: wanted === undefined ? paused : wanted === 'PAUSED',
      after: referencesOf(neutral).jobs,
    };
  });
  return schedules.filter((schedule) => schedule !== undefined);
}

function keysById(jobs: readonly ListedJob[]): Map<string, string> {
  const keyed = keyJobs(jobs, 'following');
  const keys = new Map(jobs.map((job) => [job.jobId, job.name]));
  for (const [key, job] of keyed.byKey) keys.set(job.jobId, key);
  return keys;
}

function wantedIn(settings: Members): PauseStatus | undefined {
  const tag = tagOf(settings, wantedTag);
  return tag === 'PAUSED' || tag === 'UNPAUSED' ? tag : undefined;
}

/** Holds every job of that key, because a fence that leaves a namesake running is none. */
export async function hold(client: DatabricksClient, key: string, context: ReadContext): Promise<void> {
  const jobs = await listJobs(client, context);
  const meant = jobs.filter((job) => job.name === key || tagOf(job.settings, keyTag) === markerOf(key));
  if (meant.length === 0) throw noSuchJob(client, key);
  for (const job of meant) {
    const form = formOf(job.settings);
    if (form === undefined) continue;
    const pause = pauseStatusOf(job.settings);
    const wanted = wantedIn(job.settings) ?? pause ?? 'PAUSED';
    if (pause === 'PAUSED' && tagOf(job.settings, wantedTag) === wanted) continue;
    refuseOwned(client, job);
    const tags = { ...tagsOf(job), [wantedTag]: wanted };
    const newSettings = { [form]: { ...(job.settings[form] as Members), pause_status: 'PAUSED' }, tags };
    const body = { job_id: BigInt(job.jobId), new_settings: newSettings };
    await client.post(`${jobsPath}/update`, body, context, { idempotent: true });
  }
}

/** Gives back what was wanted and takes our note of it away: from now on the job's own pause state is what counts. */
export async function release(client: DatabricksClient, key: string, context: ActContext): Promise<void> {
  const target = targetOf(key, await listJobs(client, context));
  if (target.kind === 'none') throw noSuchJob(client, key);
  if (target.kind === 'ambiguous' || target.twins.length > 0) {
    const count = target.kind === 'ambiguous' ? target.jobs.length : target.twins.length + 1;
    throw new Failure('DATABRICKS_AMBIGUOUS_JOB', `${count} jobs at ${client.site} are ${key}; none is released`, {
      next: 'ask_operator',
      hint: 'rename or delete all but one of them',
    });
  }
  const { job } = target;
  const wanted = wantedIn(job.settings);
  if (wanted === undefined) return;
  refuseOwned(client, job);
  const form = formOf(job.settings);
  const tags = Object.fromEntries(Object.entries(tagsOf(job)).filter(([tag]) => tag !== wantedTag));
  const newSettings = {
    ...(form === undefined ? {} : { [form]: { ...(job.settings[form] as Members), pause_status: wanted } }),
    tags,
  };
  const body = { job_id: BigInt(job.jobId), new_settings: newSettings };
  await client.act(`${jobsPath}/update`, body, context, { idempotent: true });
}

function tagsOf(job: ListedJob): Members {
  return (job.settings['tags'] as Members | undefined) ?? {};
}

function refuseOwned(client: DatabricksClient, job: ListedJob): void {
  const owner = ownerOf(job.settings);
  if (owner === undefined) return;
  throw new Failure('DATABRICKS_OWNED_ELSEWHERE', `job ${job.name} at ${client.site} is owned by ${owner}`, {
    next: 'ask_operator',
    hint: 'pause or release it where it is managed',
  });
}

function noSuchJob(client: DatabricksClient, key: string): Failure {
  return new Failure('DATABRICKS_JOB_MISSING', `there is no job ${key} at ${client.site}`, {
    next: 'ask_operator',
    hint: 'run understudy sync, or correct the name in the stamp',
  });
}

/** Runs of jobs that started at or after `sinceMs` on the workspace's clock, newest first. */
export async function runsSince(client: DatabricksClient, sinceMs: number, context: ReadContext): Promise<JobRun[]> {
  const keys = keysById(await listJobs(client, context));
  const found = new Map<string, JobRun>();
  const query: Record<string, string> = {
    limit: String(runsPageLength),
    start_time_from: String(Math.max(0, Math.floor(sinceMs))),
  };
  for (let page = 0; page < runPagesMax; page++) {
    const answer = await client.get(`${jobsPath}/runs/list`, query, context);
    // A run that starts between two pages moves the others down: the same run may come twice.
    for (const run of listOf(answer['runs'], 'runs')) found.set(idOf(run['run_id']), jobRunOf(run, keys));
    const token = answer['next_page_token'];
    if (typeof token !== 'string' || token === '') return [...found.values()];
    query['page_token'] = token;
  }
  throw wrongReply(`runs/list did not end after ${runPagesMax} pages`);
}

function jobRunOf(run: Members, keys: ReadonlyMap<string, string>): JobRun {
  const jobId = run['job_id'] === undefined ? '' : idOf(run['job_id']);
  const name = typeof run['run_name'] === 'string' ? run['run_name'] : `job ${jobId}`;
  return {
    job: keys.get(jobId) ?? name,
    runId: idOf(run['run_id']),
    startedAtMs: numberOf(run['start_time'], 'start_time of a run'),
    trigger: typeof run['trigger'] === 'string' ? run['trigger'] : 'UNKNOWN',
    state: stateOf(run).text,
  };
}

function stateOf(run: Members): { text: string; ended: boolean; message: string } {
  const state = membersOf(run['state'], 'state of a run');
  const lifeCycle = textOf(state['life_cycle_state'], 'life_cycle_state');
  const result = typeof state['result_state'] === 'string' ? state['result_state'] : '';
  return {
    text: result === '' ? lifeCycle : result,
    ended: ['TERMINATED', 'SKIPPED', 'INTERNAL_ERROR'].includes(lifeCycle),
    message: typeof state['state_message'] === 'string' ? state['state_message'] : '',
  };
}

/** Starts the declared job and waits for its end. The same act asks for the same run, however often it is repeated. */
export async function smoke(
  client: DatabricksClient,
  options: { job: string; clock: Clock },
  context: ActContext,
): Promise<Finding & { readonly runId?: string }> {
  const subject = `smoke job ${options.job} at ${client.site}`;
  try {
    const target = targetOf(options.job, await listJobs(client, context, { name: options.job }));
    if (target.kind !== 'one') {
      const detail = target.kind === 'none' ? 'it does not exist' : `${target.jobs.length} jobs have this name`;
      return { verdict: 'fail', subject, detail, mend: 'run understudy sync, or correct smokeJob in the stamp' };
    }
    const body = { job_id: BigInt(target.job.jobId), idempotency_token: sha256(context.act) };
    const started = await client.act(`${jobsPath}/run-now`, body, context, { idempotent: true });
    return await endOf(client, { subject, runId: idOf(started['run_id']), clock: options.clock }, context);
  } catch (error) {
    if (!(error instanceof Failure) || !codeOf(error).startsWith('DATABRICKS_')) throw error;
    return { verdict: 'error', subject, detail: error.message, mend: error.hint ?? 'run the same again' };
  }
}

async function endOf(
  client: DatabricksClient,
  watched: { subject: string; runId: string; clock: Clock },
  context: ReadContext,
): Promise<Finding & { readonly runId: string }> {
  const { subject, runId, clock } = watched;
  const startedMs = clock.monotonicMs();
  for (;;) {
    const state = stateOf(await client.get(`${jobsPath}/runs/get`, { run_id: runId }, context));
    const detail = `run ${runId}: ${state.text}${state.message === '' ? '' : ` (${state.message})`}`;
    if (state.ended && state.text === 'SUCCESS') return { verdict: 'pass', subject, detail, runId };
    const mend = `look at run ${runId} in the workspace at ${client.site}`;
    if (state.ended)
      return { verdict: state.text === 'SKIPPED' ? 'inconclusive' : 'fail', subject, detail, runId, mend };
    if (clock.monotonicMs() - startedMs > smokeDeadlineMs) {
      return { verdict: 'inconclusive', subject, detail: `${detail}, not ended in time`, runId, mend };
    }
    await clock.sleep(pollMs, context.signal);
  }
}
