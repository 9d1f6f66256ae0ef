// What a job's settings may be: the checks of jobs/create, reset and update, and the defaults the service adds by itself.
// A notebook path is not checked here: the real service takes any, and the run fails.

import { isRecord } from '#base';
import { invalid } from './errors.ts';
import { integerText } from './json.ts';
import { checkCron } from './quartz.ts';
import type { Settings, Store } from './store.ts';

const tagsMax = 25;
const tasksMax = 1_000;
const nameCharsMax = 4_096;

/** Unknown members are ignored by the service: they never come back. */
const knownMembers = new Set(
  (
    'name description email_notifications webhook_notifications notification_settings timeout_seconds health schedule ' +
    'trigger continuous max_concurrent_runs tasks job_clusters git_source tags format queue parameters run_as edit_mode ' +
    'deployment environments performance_target budget_policy_id'
  ).split(' '),
);

const taskKinds = (
  'notebook_task spark_jar_task spark_python_task spark_submit_task pipeline_task python_wheel_task dbt_task sql_task ' +
  'run_job_task condition_task for_each_task dashboard_task power_bi_task clean_rooms_notebook_task'
).split(' ');

/** The settings as they will be stored: checked, unknown members dropped, defaults filled in. */
export function acceptedSettings(given: Settings, store: Store): Settings {
  const settings = Object.fromEntries(Object.entries(given).filter(([member]) => knownMembers.has(member)));
  checkName(settings['name']);
  checkTags(settings['tags']);
  checkTriggers(settings);
  const tasks = checkTasks(settings, store);
  for (const cluster of listOf(settings, 'job_clusters')) checkPolicy(cluster['new_cluster'], store);
  const edit = settings['edit_mode'];
  if (edit !== undefined && edit !== 'UI_LOCKED' && edit !== 'EDITABLE')
    throw invalid(`Unknown edit_mode: ${JSON.stringify(edit)}`);
  return withDefaults(settings, tasks);
}

function checkName(name: unknown): void {
  if (name === undefined) return;
  if (typeof name !== 'string' || name.length > nameCharsMax) {
    throw invalid(`name must be a string of at most ${nameCharsMax} characters`);
  }
}

function checkTags(tags: unknown): void {
  if (tags === undefined) return;
  if (!isRecord(tags)) throw invalid('tags must be a map of strings');
  if (Object.keys(tags).length > tagsMax) throw invalid(`A job can have at most ${tagsMax} tags.`);
  for (const [key, value] of Object.entries(tags)) {
    if (typeof value !== 'string' || key.length > 127 || value.length > 255) throw invalid(`Invalid tag ${key}`);
  }
}

function checkTriggers(settings: Settings): void {
  const given = ['schedule', 'trigger', 'continuous'].filter((member) => settings[member] !== undefined);
  if (given.length > 1)
    throw invalid(`A job can have only one of schedule, trigger and continuous: ${given.join(', ')}`);
  const form = given[0] === undefined ? undefined : settings[given[0]];
  if (form === undefined) return;
  if (!isRecord(form)) throw invalid(`${given[0]} must be an object`);
  const pause = form['pause_status'];
  if (pause !== undefined && pause !== 'PAUSED' && pause !== 'UNPAUSED') {
    throw invalid(`Invalid pause_status: ${JSON.stringify(pause)}. Must be PAUSED or UNPAUSED.`);
  }
  if (given[0] === 'schedule') {
    const { quartz_cron_expression, timezone_id } = form;
    if (typeof quartz_cron_expression !== 'string') throw invalid('schedule.quartz_cron_expression is required');
    if (typeof timezone_id !== 'string') throw invalid('schedule.timezone_id is required');
    checkCron({ quartz_cron_expression, timezone_id });
  }
  if (given[0] === 'continuous' && (settings['max_concurrent_runs'] ?? 1) !== 1) {
    throw invalid('Continuous jobs must have max_concurrent_runs of 1');
  }
}

function checkTasks(settings: Settings, store: Store): Settings[] {
  const tasks = listOf(settings, 'tasks');
  if (tasks.length > tasksMax) throw invalid(`A job can have at most ${tasksMax} tasks.`);
  const keys = new Set<string>();
  for (const task of tasks) {
    const key = task['task_key'];
    if (typeof key !== 'string' || !/^[\w-]{1,100}$/.test(key)) throw invalid('task_key must match [\\w\\-_]{1,100}');
    if (keys.has(key)) throw invalid(`Duplicate task_key: ${key}`);
    keys.add(key);
  }
  const clusters = new Set(listOf(settings, 'job_clusters').map((cluster) => cluster['job_cluster_key']));
  for (const task of tasks) checkTask(task, { keys, clusters, store });
  return tasks;
}

function checkTask(task: Settings, around: { keys: Set<string>; clusters: Set<unknown>; store: Store }): void {
  const kinds = taskKinds.filter((kind) => task[kind] !== undefined);
  const name = String(task['task_key']);
  if (kinds.length !== 1) throw invalid(`Task ${name} must have exactly one task type`);
  for (const dependency of listOf(task, 'depends_on')) {
    if (!around.keys.has(String(dependency['task_key']))) {
      throw invalid(`Task ${name} depends on a task that does not exist: ${String(dependency['task_key'])}`);
    }
  }
  const clusterKey = task['job_cluster_key'];
  if (clusterKey !== undefined && !around.clusters.has(clusterKey)) {
    throw invalid(`Task ${name} refers to an unknown job_cluster_key: ${JSON.stringify(clusterKey)}`);
  }
  checkPolicy(task['new_cluster'], around.store);
  const notebook = task['notebook_task'];
  if (notebook !== undefined && (!isRecord(notebook) || typeof notebook['notebook_path'] !== 'string')) {
    throw invalid(`Task ${name}: notebook_path is required`);
  }
  const other = task['run_job_task'];
  if (other === undefined) return;
  const jobId = isRecord(other) ? integerText(other['job_id']) : undefined;
  if (jobId === undefined) throw invalid(`Task ${name}: run_job_task.job_id must be an integer`);
  if (!around.store.job(jobId)) throw invalid(`Task ${name}: Job ${jobId} does not exist.`);
}

function checkPolicy(cluster: unknown, store: Store): void {
  if (!isRecord(cluster) || cluster['policy_id'] === undefined) return;
  const policyId = cluster['policy_id'];
  if (typeof policyId !== 'string' || !store.policy(policyId)) {
    throw invalid(`Can't find a cluster policy with id: ${JSON.stringify(policyId)}.`);
  }
}

/** What a workspace adds to what it was given; seen in answers of the real jobs/get (databricks/cli test server). */
function withDefaults(settings: Settings, tasks: Settings[]): Settings {
  const stored: Settings = {
    name: 'Untitled',
    email_notifications: {},
    webhook_notifications: {},
    timeout_seconds: 0,
    max_concurrent_runs: 1,
    format: 'MULTI_TASK',
    ...settings,
  };
  for (const form of ['schedule', 'trigger', 'continuous']) {
    if (isRecord(stored[form])) stored[form] = { pause_status: 'UNPAUSED', ...stored[form] };
  }
  if (settings['tasks'] !== undefined) stored['tasks'] = tasks.map(taskWithDefaults);
  return stored;
}

function taskWithDefaults(task: Settings): Settings {
  const stored: Settings = { run_if: 'ALL_SUCCESS', timeout_seconds: 0, email_notifications: {}, ...task };
  if (isRecord(stored['notebook_task'])) stored['notebook_task'] = { source: 'WORKSPACE', ...stored['notebook_task'] };
  if (Array.isArray(stored['depends_on'])) {
    // The service gives dependencies back in its own order, not in the one they were sent in.
    stored['depends_on'] = (stored['depends_on'] as Settings[]).toSorted((a, b) =>
      String(a['task_key']).localeCompare(String(b['task_key'])),
    );
  }
  return stored;
}

function listOf(settings: Settings, member: string): Settings[] {
  const value = settings[member];
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every(isRecord)) throw invalid(`${member} must be a list of objects`);
  return value;
}

/** Which arrays jobs/update merges, and by which key (REST reference of jobs/update). */
const mergedByKey: Readonly<Record<string, string>> = {
  tasks: 'task_key',
  job_clusters: 'job_cluster_key',
  parameters: 'name',
  environments: 'environment_key',
};

/** Top-level members are replaced; keyed arrays are merged by key; `fields_to_remove` takes `schedule` or `tasks/KEY`. */
export function mergedSettings(current: Settings, change: { set: Settings; remove: readonly string[] }): Settings {
  const merged: Settings = { ...current };
  for (const field of change.remove) {
    const [member = '', key] = field.split('/');
    const keyName = mergedByKey[member];
    if (key === undefined) delete merged[member];
    else if (keyName !== undefined) merged[member] = listOf(merged, member).filter((item) => item[keyName] !== key);
    else throw invalid(`Invalid field to remove: ${field}`);
  }
  for (const [member, value] of Object.entries(change.set)) {
    const keyName = mergedByKey[member];
    if (keyName === undefined || !Array.isArray(value)) {
      merged[member] = value;
      continue;
    }
    const given = listOf(change.set, member);
    const kept = listOf(merged, member).filter((item) => !given.some((other) => other[keyName] === item[keyName]));
    merged[member] = [...kept, ...given];
  }
  return merged;
}
