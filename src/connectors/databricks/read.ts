// One job, policy or notebook of one site as an artifact: its neutral form, its digest, and why it is not carried when it
// is not. Inventory and apply both read through here, so that they can never disagree about what is equal.

import { digestOf, type Site } from '#base';
import type { Artifact, ReadContext } from '../port.ts';
import type { DatabricksClient } from './client.ts';
import { jobSettings, ownerOf, type KeyedJobs, type ListedJob } from './jobs.ts';
import type { Members } from './json.ts';
import {
  comparable,
  formOf,
  neutralJob,
  pauseStatusOf,
  tagOf,
  wantedTag,
  type NamesAtSite,
  type PauseStatus,
} from './neutral-job.ts';
import { neutralNotebook, notebookView, readNotebook, type WorkspaceEntry } from './notebooks.ts';
import { isBuiltIn, neutralPolicy, type Policy } from './policies.ts';
import type { RegionMap } from './region-map.ts';

export type ReadAs = 'leading' | 'following';

export interface SiteReading {
  readonly site: Site;
  readonly as: ReadAs;
  readonly client: DatabricksClient;
  readonly map: RegionMap;
}

export interface JobReading {
  readonly artifact: Artifact;
  readonly neutral: Members;
  readonly wanted: PauseStatus | undefined;
}

/** Names by id: a job whose name does not tell it apart from another has none. */
export function namesOf(keyed: KeyedJobs, policies: readonly Policy[]): NamesAtSite {
  const keys = new Map([...keyed.byKey].map(([key, job]) => [job.jobId, key]));
  const names = new Map(policies.map((policy) => [policy.policyId, policy.name]));
  return { jobName: (jobId) => keys.get(jobId), policyName: (policyId) => names.get(policyId) };
}

/** Undefined when the job has gone since it was listed. */
export async function readJob(
  reading: SiteReading,
  job: ListedJob & { readonly key: string },
  names: NamesAtSite,
  context: ReadContext,
): Promise<JobReading | undefined> {
  const settings = await jobSettings(reading.client, job.jobId, context);
  if (!settings) return undefined;
  const { settings: neutral, obstacles } = neutralJob(settings, { site: reading.site, map: reading.map, names });
  const wanted = wantedOf(settings, reading.as);
  const held = pauseStatusOf(settings) !== 'UNPAUSED';
  const owner = ownerOf(settings);
  const reasons =
    owner === undefined ? obstacles : [`it is owned by ${owner}, which has to write it in both workspaces`];
  const view = {
    settings: comparable(neutral),
    wanted: wanted ?? null,
    // A following job whose schedule runs is a difference, whatever else is equal.
    ...(reading.as === 'following' && !held ? { held } : {}),
  };
  return {
    neutral,
    wanted,
    artifact: {
      kind: 'job',
      key: job.key,
      digest: digestOf(view),
      view,
      // What cannot be told at the following site is drift there, not a reason to look away.
      ...(reasons.length > 0 && (reading.as === 'leading' || owner !== undefined)
        ? { class: 'listed', reason: reasons.join('; ') }
        : { class: 'carried' }),
    },
  };
}

/** What the owner wants: our tag while we hold the job, else what the job does now (where it leads). */
function wantedOf(settings: Members, as: ReadAs): PauseStatus | undefined {
  if (formOf(settings) === undefined) return undefined;
  const tag = tagOf(settings, wantedTag);
  if (tag === 'PAUSED' || tag === 'UNPAUSED') return tag;
  return as === 'leading' ? pauseStatusOf(settings) : undefined;
}

export function policyArtifact(reading: SiteReading, policy: Policy): Artifact {
  const neutral = neutralPolicy(policy, reading);
  const view = comparable(neutral) as Record<string, unknown>;
  return {
    kind: 'cluster-policy',
    key: policy.name,
    digest: digestOf(view),
    view,
    ...(isBuiltIn(policy)
      ? { class: 'listed', reason: 'every workspace has it from the start' }
      : { class: 'carried' }),
  };
}

export interface NotebookReading {
  readonly artifact: Artifact;
  /** Absent when it is not carried. */
  readonly neutral?: { readonly language: string; readonly text: string };
}

/** Undefined when the notebook has gone since it was listed. */
export async function readEntry(
  reading: SiteReading,
  entry: WorkspaceEntry,
  context: ReadContext,
): Promise<NotebookReading | undefined> {
  const content = await readNotebook(reading.client, entry, context);
  const identity = { kind: entry.type === 'NOTEBOOK' ? 'notebook' : 'workspace-object', key: entry.path };
  switch (content.kind) {
    case 'gone':
      return undefined;
    case 'not-carried': {
      const view = { type: entry.type };
      return { artifact: { ...identity, class: 'listed', reason: content.reason, digest: digestOf(view), view } };
    }
    case 'text': {
      const neutral = neutralNotebook(content, reading);
      const view = notebookView(neutral);
      return { artifact: { ...identity, class: 'carried', digest: digestOf(view), view }, neutral };
    }
  }
}
