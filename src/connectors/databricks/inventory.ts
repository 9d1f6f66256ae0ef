// What a workspace holds, in region-neutral form: cluster policies, notebooks below the declared roots, and jobs with the
// pause state their owner wants.

import { digestOf, type Clock } from '#base';
import type { Artifact, Inventory, ReadContext } from '../port.ts';
import { concurrently } from './concurrently.ts';
import { keyJobs, listJobs, type KeyedJobs } from './jobs.ts';
import { referencesOf } from './neutral-job.ts';
import { listTree } from './notebooks.ts';
import { listPolicies } from './policies.ts';
import { namesOf, policyArtifact, readEntry, readJob, type JobReading, type SiteReading } from './read.ts';

/** Far below the service's limits (export 60/s, jobs/get 100/s) and enough to hide the round trips. */
export const readsAtOnceMax = 8;

export async function inventoryOf(
  reading: SiteReading,
  options: { dependency: string; notebookRoots: readonly string[]; clock: Clock },
  context: ReadContext,
): Promise<Inventory> {
  const startedAtMs = options.clock.wallMs();
  const policies = await listPolicies(reading.client, context);
  const entries = await listTree(reading.client, options.notebookRoots, context);
  const notebooks = await concurrently(entries, readsAtOnceMax, (entry) => readEntry(reading, entry, context));
  const keyed = keyJobs(await listJobs(reading.client, context), reading.as);
  const names = namesOf(keyed, policies);
  const jobs = await concurrently([...keyed.byKey], readsAtOnceMax, ([key, job]) =>
    readJob(reading, { ...job, key }, names, context),
  );
  return {
    site: reading.site,
    dependency: options.dependency,
    startedAtMs,
    artifacts: [
      ...policies.map((policy) => policyArtifact(reading, policy)),
      ...notebooks.flatMap((notebook) => (notebook ? [notebook.artifact] : [])),
      ...referencedFirst(jobs.filter((job) => job !== undefined)),
      ...ambiguousJobs(keyed),
    ],
    twins: keyed.twins.map((job) => `job ${job.name} (${job.jobId})`),
  };
}

/** A job that runs another comes after it, so that whoever applies in this order never meets a missing reference. */
function referencedFirst(jobs: readonly JobReading[]): Artifact[] {
  const byKey = new Map(jobs.map((job) => [job.artifact.key, job]));
  const ordered = new Map<string, Artifact>();
  const entered = new Set<string>();
  const visit = (job: JobReading): void => {
    if (entered.has(job.artifact.key)) return;
    entered.add(job.artifact.key);
    for (const name of referencesOf(job.neutral).jobs) {
      const other = byKey.get(name);
      if (other) visit(other);
    }
    ordered.set(job.artifact.key, job.artifact);
  };
  for (const job of jobs) visit(job);
  return [...ordered.values()];
}

function ambiguousJobs(keyed: KeyedJobs): Artifact[] {
  return [...keyed.ambiguous].map(([name, jobs]) => {
    const ids = jobs.map((job) => job.jobId).join(', ');
    return {
      kind: 'job',
      key: name,
      class: 'listed',
      reason: `${jobs.length} jobs share this name (${ids}); which of them is meant cannot be told: rename all but one`,
      digest: digestOf({ sharedBy: jobs.length }),
      view: { sharedBy: jobs.length },
    };
  });
}
