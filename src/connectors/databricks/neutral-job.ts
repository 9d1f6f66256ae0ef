// The region-neutral form of a job's settings and the way back: pause state and markers taken out, ids of policies and jobs
// replaced by names, the site's own texts replaced by tokens.

import { isRecord, sha256, type Site } from '#base';
import { idOf, type Members } from './json.ts';
import { mapTexts, type RegionMap } from './region-map.ts';

/** The tag that says which artifact a job of ours is. */
export const keyTag = 'understudy_key';
/** The tag that keeps what the owner wants while the job is held. */
export const wantedTag = 'understudy_wanted';

export const scheduleForms = ['schedule', 'continuous', 'trigger'] as const;
export type ScheduleForm = (typeof scheduleForms)[number];
export type PauseStatus = 'PAUSED' | 'UNPAUSED';

/** How ids and names of one site translate into each other. */
export interface NamesAtSite {
  policyName(policyId: string): string | undefined;
  jobName(jobId: string): string | undefined;
}

export interface NeutralJob {
  /** Settings without name, pause state and markers. */
  readonly settings: Members;
  /** What of the job has no counterpart in another region: a reason not to carry it. */
  readonly obstacles: readonly string[];
}

export function formOf(settings: Members): ScheduleForm | undefined {
  return scheduleForms.find((form) => isRecord(settings[form]));
}

export function pauseStatusOf(settings: Members): PauseStatus | undefined {
  const form = formOf(settings);
  const value = form && settings[form];
  if (!isRecord(value)) return undefined;
  return value['pause_status'] === 'PAUSED' ? 'PAUSED' : 'UNPAUSED';
}

export function tagOf(settings: Members, tag: string): string | undefined {
  const tags = settings['tags'];
  const value = isRecord(tags) ? tags[tag] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** Members that are no part of what is carried: who made it and how it may be edited. */
const notCarried = new Set(['name', 'deployment', 'edit_mode']);
/** Ids that mean nothing elsewhere and that only a region map can translate. */
const regionalIds = new Set([
  'existing_cluster_id',
  'instance_pool_id',
  'driver_instance_pool_id',
  'warehouse_id',
  'pipeline_id',
  'dashboard_id',
  'query_id',
  'alert_id',
]);
/** Notebooks are carried under the same path and policies under the same name, so neither is ever mapped. */
const neverMapped = (member: string): boolean => member === 'notebook_path' || member === 'policy_id';

const tagsMax = 25;
const markerTags = 2;
const markerCharsMax = 200;

/** What the key tag holds: the key itself, or its digest where a tag would be too short for it. */
export function markerOf(key: string): string {
  return key.length <= markerCharsMax ? key : `sha256:${sha256(key)}`;
}

export function neutralJob(settings: Members, around: { site: Site; map: RegionMap; names: NamesAtSite }): NeutralJob {
  const obstacles: string[] = [];
  const carried: Record<string, unknown> = {};
  for (const [member, value] of Object.entries(settings)) {
    if (notCarried.has(member)) continue;
    if (member === 'tags') {
      const tags = withoutMarkers(value);
      if (Object.keys(tags).length + markerTags > tagsMax) obstacles.push('it has no room for two more tags');
      if (Object.keys(tags).length > 0) carried['tags'] = tags;
    } else if ((scheduleForms as readonly string[]).includes(member) && isRecord(value)) {
      carried[member] = Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'pause_status'));
    } else {
      carried[member] = value;
    }
  }
  const mapped = mapTexts(carried, (text) => around.map.toNeutral(around.site, text), neverMapped);
  collectRegionalIds(mapped, obstacles);
  const neutral = namesForIds(mapped, around.names, obstacles) as Members;
  return { settings: ordered(neutral), obstacles };
}

function withoutMarkers(tags: unknown): Record<string, unknown> {
  const all = isRecord(tags) ? tags : {};
  return Object.fromEntries(Object.entries(all).filter(([tag]) => tag !== keyTag && tag !== wantedTag));
}

/** `policy_id: X` becomes `policy_id: {policy: name}`, `run_job_task.job_id` becomes `{job: name}`. */
function namesForIds(value: unknown, names: NamesAtSite, obstacles: string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => namesForIds(item, names, obstacles));
  if (!isRecord(value)) return value;
  const result: Record<string, unknown> = {};
  for (const [member, item] of Object.entries(value)) {
    if (member === 'policy_id' && typeof item === 'string') {
      const policy = names.policyName(item);
      if (policy === undefined) obstacles.push(`it refers to cluster policy ${item}, which does not exist`);
      result[member] = { policy: policy ?? `unknown ${item}` };
    } else if (member === 'run_job_task' && isRecord(item)) {
      const jobId = idOf(item['job_id']);
      const job = names.jobName(jobId);
      if (job === undefined)
        obstacles.push(`it runs job ${jobId}, which does not exist or shares its name with another`);
      result[member] = { ...item, job_id: { job: job ?? `unknown ${jobId}` } };
    } else {
      result[member] = namesForIds(item, names, obstacles);
    }
  }
  return result;
}

function collectRegionalIds(value: unknown, obstacles: string[]): void {
  if (Array.isArray(value)) for (const item of value) collectRegionalIds(item, obstacles);
  if (!isRecord(value)) return;
  for (const [member, item] of Object.entries(value)) {
    if (regionalIds.has(member) && typeof item === 'string' && !item.startsWith('{{understudy:region:')) {
      obstacles.push(`${member} ${item} exists in this workspace only; add the pair of ids to regionMap`);
    } else collectRegionalIds(item, obstacles);
  }
}

/** The service gives these back in an order of its own. */
function ordered(settings: Members): Members {
  const tasks = settings['tasks'];
  if (!Array.isArray(tasks)) return settings;
  const inOrder = (tasks as Members[]).map((task) => {
    const dependsOn = task['depends_on'];
    return Array.isArray(dependsOn) ? { ...task, depends_on: sortedBy(dependsOn as Members[], 'task_key') } : task;
  });
  return { ...settings, tasks: sortedBy(inOrder, 'task_key') };
}

function sortedBy(items: readonly Members[], member: string): Members[] {
  const keyOf = (item: Members): string => (typeof item[member] === 'string' ? item[member] : '');
  return items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** How names translate into ids where the job is written. Throws when a name has no id there. */
export interface IdsAtSite {
  policyId(name: string): string;
  jobId(name: string): string;
}

/** Settings for `jobs/create` and `jobs/reset` at a site: always held, marked with the key and with what is wanted. */
export function heldSettings(
  neutral: Members,
  around: { key: string; wanted: PauseStatus | undefined; site: Site; map: RegionMap; ids: IdsAtSite },
): Members {
  const local = mapTexts(neutral, (text) => around.map.toSite(around.site, text), neverMapped);
  const settings = { name: around.key, ...(idsForNames(local, around.ids) as Members) } as Record<string, unknown>;
  settings['tags'] = {
    ...(isRecord(settings['tags']) ? settings['tags'] : {}),
    [keyTag]: markerOf(around.key),
    ...(around.wanted === undefined ? {} : { [wantedTag]: around.wanted }),
  };
  const form = formOf(settings);
  if (form) settings[form] = { ...(settings[form] as Members), pause_status: 'PAUSED' };
  return settings;
}

function idsForNames(value: unknown, ids: IdsAtSite): unknown {
  if (Array.isArray(value)) return value.map((item) => idsForNames(item, ids));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([member, item]) => {
      if (member === 'policy_id' && isRecord(item)) return [member, ids.policyId(String(item['policy']))];
      if (member === 'run_job_task' && isRecord(item) && isRecord(item['job_id'])) {
        return [member, { ...item, job_id: BigInt(ids.jobId(String(item['job_id']['job']))) }];
      }
      return [member, idsForNames(item, ids)];
    }),
  );
}

/** Names of the policies and jobs that a neutral form refers to. */
export function referencesOf(neutral: unknown): { policies: string[]; jobs: string[] } {
  const found = { policies: new Set<string>(), jobs: new Set<string>() };
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) walk(item);
    if (!isRecord(value)) return;
    for (const [member, item] of Object.entries(value)) {
      if (member === 'policy_id' && isRecord(item)) found.policies.add(String(item['policy']));
      else if (member === 'job_id' && isRecord(item)) found.jobs.add(String(item['job']));
      else walk(item);
    }
  };
  walk(neutral);
  return { policies: [...found.policies], jobs: [...found.jobs] };
}

/** A value that canonical JSON can hold: exact integers become their decimal text. */
export function comparable(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(comparable);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([member, item]) => [member, comparable(item)]));
}
