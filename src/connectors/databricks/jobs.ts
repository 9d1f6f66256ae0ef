// Jobs of one workspace as they are: the listing, whole settings with every page of their arrays, and which job is which
// artifact. Names are not unique in Databricks, so that question has an answer of its own.

import { isRecord } from '#base';
import type { ReadContext } from '../port.ts';
import type { DatabricksClient } from './client.ts';
import { saysMissing } from './failures.ts';
import { idOf, listOf, membersOf, numberOf, wrongReply, type Members } from './json.ts';
import { keyTag, markerOf, tagOf } from './neutral-job.ts';

export const jobsPath = '/api/2.2/jobs';
/** The largest page the service gives. */
const jobsPageLength = 100;
/** A workspace holds at most 10,000 saved jobs; twice that is a listing that never ends. */
const jobPagesMax = 200;
const arrayPagesMax = 50;
const pagedArrays = ['tasks', 'job_clusters', 'environments', 'parameters'];

export interface ListedJob {
  readonly jobId: string;
  readonly name: string;
  readonly createdAtMs: number;
  /** As jobs/list gives them: without tasks, clusters and parameters. */
  readonly settings: Members;
}

/** Every job, oldest first. With `name`, those of that name only. */
export async function listJobs(
  client: DatabricksClient,
  context: ReadContext,
  options: { name?: string } = {},
): Promise<ListedJob[]> {
  const jobs: ListedJob[] = [];
  const query: Record<string, string> = { limit: String(jobsPageLength) };
  if (options.name !== undefined) query['name'] = options.name;
  for (let page = 0; page < jobPagesMax; page++) {
    const answer = await client.get(`${jobsPath}/list`, query, context);
    jobs.push(...listOf(answer['jobs'], 'jobs').map(listedJob));
    const token = answer['next_page_token'];
    if (typeof token !== 'string' || token === '') {
      // The name filter of the service ignores case; a name of ours does not.
      return oldestFirst(jobs.filter((job) => options.name === undefined || job.name === options.name));
    }
    query['page_token'] = token;
  }
  throw wrongReply(`jobs/list did not end after ${jobPagesMax} pages`);
}

function listedJob(job: Members): ListedJob {
  const settings = membersOf(job['settings'], 'settings of a job');
  return {
    jobId: idOf(job['job_id']),
    name: typeof settings['name'] === 'string' ? settings['name'] : 'Untitled',
    createdAtMs: numberOf(job['created_time'], 'created_time of a job'),
    settings,
  };
}

function oldestFirst(jobs: readonly ListedJob[]): ListedJob[] {
  return jobs.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (BigInt(a.jobId) < BigInt(b.jobId) ? -1 : 1));
}

/** All settings of a job, or undefined when it is gone. Arrays above 100 elements come in pages and are put together. */
export async function jobSettings(
  client: DatabricksClient,
  jobId: string,
  context: ReadContext,
): Promise<Members | undefined> {
  const query: Record<string, string> = { job_id: jobId };
  let whole: Record<string, unknown> | undefined;
  for (let page = 0; page < arrayPagesMax; page++) {
    let answer: Members;
    try {
      answer = await client.get(`${jobsPath}/get`, query, context);
    } catch (error) {
      if (saysMissing(error)) return undefined;
      throw error;
    }
    const settings = membersOf(answer['settings'], 'settings of a job');
    if (!whole) whole = { ...settings };
    else {
      for (const member of pagedArrays) {
        const more = listOf(settings[member], member);
        if (more.length > 0) whole[member] = [...listOf(whole[member], member), ...more];
      }
    }
    const token = answer['next_page_token'];
    if (typeof token !== 'string' || token === '') return whole;
    query['page_token'] = token;
  }
  throw wrongReply(`job ${jobId} did not end after ${arrayPagesMax} pages`);
}

/** The owner of a job that is managed as code elsewhere, or undefined. Such jobs are never written. */
export function ownerOf(settings: Members): string | undefined {
  const deployment = settings['deployment'];
  if (isRecord(deployment)) {
    const file = deployment['metadata_file_path'];
    return `bundle ${typeof file === 'string' ? file : 'without a metadata file'}`;
  }
  return settings['edit_mode'] === 'UI_LOCKED' ? 'whoever locked its edit mode' : undefined;
}

export interface KeyedJobs {
  /** One job per key. */
  readonly byKey: ReadonlyMap<string, ListedJob>;
  /** Names that several jobs share and no marker tells apart. */
  readonly ambiguous: ReadonlyMap<string, readonly ListedJob[]>;
  /** Younger jobs that carry the same marker and the same name as an older one. */
  readonly twins: readonly ListedJob[];
}

/**
 * Which job is which artifact. In the leading workspace the name says it; in the following one our marker does, so that a
 * renamed copy is still known. A copy a person made of a copy keeps the marker but has another name: it is its own thing.
 */
export function keyJobs(jobs: readonly ListedJob[], as: 'leading' | 'following'): KeyedJobs {
  const byKey = new Map<string, ListedJob>();
  const ambiguous = new Map<string, readonly ListedJob[]>();
  const twins: ListedJob[] = [];
  const keyOf = (job: ListedJob): string => (as === 'leading' ? job.name : followingKey(job, jobs));
  for (const [key, sharing] of Map.groupBy(jobs, keyOf)) {
    const ours = sharing.filter((job) => tagOf(job.settings, keyTag) === markerOf(key));
    twins.push(...ours.filter((job) => job.name === key).slice(1));
    const [only, second] = sharing;
    if (only && !second) byKey.set(key, only);
    else if (as === 'following' && ours[0] && ours.length === sharing.length) byKey.set(key, ours[0]);
    else ambiguous.set(key, sharing);
  }
  return { byKey, ambiguous, twins };
}

function followingKey(job: ListedJob, jobs: readonly ListedJob[]): string {
  const marker = tagOf(job.settings, keyTag);
  if (marker === undefined || marker === markerOf(job.name) || marker.startsWith('sha256:')) return job.name;
  const carriers = jobs.filter((other) => tagOf(other.settings, keyTag) === marker);
  const original = jobs.some((other) => other.name === marker);
  return carriers.length === 1 && !original ? marker : job.name;
}

/** Every job that might be the artifact `key` where it is to be written. */
export type Target =
  | { readonly kind: 'none' }
  | { readonly kind: 'one'; readonly job: ListedJob; readonly twins: readonly ListedJob[] }
  | { readonly kind: 'ambiguous'; readonly jobs: readonly ListedJob[] };

/** Adopts the oldest job with our marker; else the only job of that name; never guesses between several. */
export function targetOf(key: string, jobs: readonly ListedJob[]): Target {
  const marked = jobs.filter((job) => tagOf(job.settings, keyTag) === markerOf(key));
  const [oldest, ...younger] = marked.filter((job) => job.name === key);
  if (oldest) return { kind: 'one', job: oldest, twins: younger };
  const named = jobs.filter((job) => job.name === key);
  const candidates = named.length > 0 ? named : marked;
  const [only, second] = candidates;
  if (!only) return { kind: 'none' };
  return second ? { kind: 'ambiguous', jobs: candidates } : { kind: 'one', job: only, twins: [] };
}
