// Brings one job to the following site, held and marked, and removes one that is no longer wanted there.

import { Failure } from '#base';
import { keyJobs, listJobs, jobsPath, ownerOf, targetOf, type ListedJob } from './jobs.ts';
import { bringPolicy } from './apply-policy.ts';
import type { Members } from './json.ts';
import {
  actIfPresent,
  ambiguous,
  createdOnce,
  createsMax,
  lost,
  notCarried,
  sourceGone,
  stillWanted,
  type Move,
} from './move.ts';
import { heldSettings, keyTag, markerOf, referencesOf, tagOf, type IdsAtSite } from './neutral-job.ts';
import { listPolicies } from './policies.ts';
import { namesOf, readJob, type JobReading } from './read.ts';

/** Run Job tasks nest three levels at most; more is a circle. */
const nestingMax = 4;

export async function bringJob(move: Move, key: string, depth: number): Promise<void> {
  const source = await readSource(move, key);
  if (source.artifact.class === 'listed') throw notCarried(`job ${key}`, source.artifact.reason);
  await bringReferences(move, source, depth);
  const ids = await idsAt(move, source);
  const settings = heldSettings(source.neutral, { ...source, key, site: move.to.site, map: move.map, ids });
  for (let created = 0; ; created++) {
    const jobs = await listJobs(move.to.client, move.context);
    const target = targetOf(key, jobs);
    switch (target.kind) {
      case 'ambiguous':
        throw ambiguous(move, key, target.jobs);
      case 'one':
        for (const twin of target.twins) await actIfPresent(move, `${jobsPath}/delete`, { job_id: BigInt(twin.jobId) });
        return resetIfDifferent(move, { key, source, job: target.job, jobs, settings });
      case 'none':
        if (await createdOnce(move, `${jobsPath}/create`, { body: settings, last: created + 1 >= createsMax })) return;
    }
  }
}

async function readSource(move: Move, key: string): Promise<JobReading> {
  const { from, context } = move;
  const keyed = keyJobs(await listJobs(from.client, context), 'leading');
  const shared = keyed.ambiguous.get(key);
  if (shared) throw ambiguous({ ...move, to: from }, key, shared);
  const job = keyed.byKey.get(key);
  const names = namesOf(keyed, await listPolicies(from.client, context));
  const read = job && (await readJob(from, { ...job, key }, names, context));
  if (!read) throw sourceGone(move, `job ${key}`);
  return read;
}

/** What a job refers to has to be there before it: usually it is, because kinds and jobs are applied in that order. */
async function bringReferences(move: Move, source: JobReading, depth: number): Promise<void> {
  const references = referencesOf(source.neutral);
  if (references.policies.length > 0) {
    const present = new Set((await listPolicies(move.to.client, move.context)).map((policy) => policy.name));
    for (const name of references.policies) if (!present.has(name)) await bringPolicy(move, name);
  }
  if (references.jobs.length === 0) return;
  if (depth >= nestingMax) {
    throw notCarried(`job ${source.artifact.key}`, `jobs run each other more than ${nestingMax} levels deep`);
  }
  const jobs = await listJobs(move.to.client, move.context);
  for (const key of references.jobs) if (targetOf(key, jobs).kind === 'none') await bringJob(move, key, depth + 1);
}

async function idsAt(move: Move, source: JobReading): Promise<IdsAtSite> {
  const { to, context } = move;
  const references = referencesOf(source.neutral);
  const listed = references.policies.length > 0 ? await listPolicies(to.client, context) : [];
  const policies = new Map(listed.map((policy) => [policy.name, policy.policyId]));
  const jobs = references.jobs.length > 0 ? await listJobs(to.client, context) : [];
  return {
    policyId: (name) => policies.get(name) ?? lost(move, `cluster policy ${name}`),
    jobId: (name) => {
      const target = targetOf(name, jobs);
      if (target.kind === 'ambiguous') throw ambiguous(move, name, target.jobs);
      return target.kind === 'one' ? target.job.jobId : lost(move, `job ${name}`);
    },
  };
}

async function resetIfDifferent(
  move: Move,
  wanted: { key: string; source: JobReading; job: ListedJob; jobs: readonly ListedJob[]; settings: Members },
): Promise<void> {
  const { to, context } = move;
  const { key, source, job, settings } = wanted;
  const owner = ownerOf(job.settings);
  if (owner !== undefined) throw notCarried(`job ${key}`, `at ${to.site} it is owned by ${owner}`);
  const keyed = keyJobs(wanted.jobs, 'following');
  const names = namesOf(keyed, await listPolicies(to.client, context));
  const present = await readJob(to, { ...job, key }, names, context);
  const marked = tagOf(job.settings, keyTag) === markerOf(key) && job.name === key;
  if (marked && present?.artifact.digest === source.artifact.digest) return;
  const body = { job_id: BigInt(job.jobId), new_settings: settings };
  await to.client.act(`${jobsPath}/reset`, body, context, { idempotent: true });
}

/** Deletes only what carries our marker: a job made by hand at the following site is not ours to remove. */
export async function deleteJob(move: Move, key: string): Promise<void> {
  const { from, to, context } = move;
  const named = await listJobs(from.client, context, { name: key });
  if (named.length > 0) throw stillWanted(move, `job ${key}`);
  const target = targetOf(key, await listJobs(to.client, context));
  if (target.kind === 'none') return;
  if (target.kind === 'ambiguous') throw ambiguous(move, key, target.jobs);
  const { job, twins } = target;
  if (tagOf(job.settings, keyTag) !== markerOf(key) || ownerOf(job.settings) !== undefined) {
    throw new Failure('DATABRICKS_NOT_OURS', `job ${key} at ${to.site} was not made by Understudy and is not deleted`, {
      next: 'ask_operator',
      hint: `delete or rename it at ${to.site}, or create it at ${from.site}`,
    });
  }
  for (const gone of [...twins, job]) await actIfPresent(move, `${jobsPath}/delete`, { job_id: BigInt(gone.jobId) });
}
