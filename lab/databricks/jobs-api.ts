// Jobs API 2.2: create, get, list, reset, update, delete. Reference: docs.databricks.com/api/workspace/jobs.

import { isRecord } from '#base';
import { limitOf, pageOf, queryId, requiredId, type ApiCall, type Operations } from './api.ts';
import { invalid, noSuchJob } from './errors.ts';
import { acceptedSettings, mergedSettings } from './job-settings.ts';
import type { Job, Settings } from './store.ts';

const arraysPaged = ['tasks', 'job_clusters', 'environments', 'parameters'];
const arrayPageLength = 100;

export const jobOperations: Operations = {
  'POST /api/2.2/jobs/create': create,
  'GET /api/2.2/jobs/get': get,
  'GET /api/2.2/jobs/list': list,
  'POST /api/2.2/jobs/reset': reset,
  'POST /api/2.2/jobs/update': update,
  'POST /api/2.2/jobs/delete': remove,
};

function create(call: ApiCall): unknown {
  const { store, clock } = call;
  const settings = acceptedSettings(call.body, store);
  const ordinal = store.nextOrdinal();
  const jobId = store.idOf('job', ordinal);
  store.putJob({ jobId, ordinal, creator: call.principal, createdAt: clock.wallMs(), settings });
  call.effect('job-created', String(settings['name']), { jobId });
  call.runs.jobChanged(jobId);
  return { job_id: BigInt(jobId) };
}

/** Arrays of more than 100 elements come in pages; on later pages the members that were whole are left out. */
function get(call: ApiCall): unknown {
  const job = existing(call, queryId(call.query, 'job_id'));
  const token = call.query.get('page_token');
  const settings: Settings = { ...job.settings };
  let next: string | undefined;
  for (const member of arraysPaged) {
    const whole = settings[member] as unknown[] | undefined;
    if (whole === undefined) continue;
    const page = pageOf(whole, { token, limit: arrayPageLength });
    if (page.items.length > 0) settings[member] = page.items;
    else delete settings[member];
    next = page.next ?? next;
  }
  return {
    ...header(job),
    settings,
    run_as_user_name: job.creator,
    ...(next === undefined ? {} : { has_more: true, next_page_token: next }),
  };
}

function list(call: ApiCall): unknown {
  const { query, store } = call;
  const name = query.get('name')?.toLowerCase();
  const limit = limitOf(query, { fallback: 20, max: 100 });
  const found = store.jobs().filter((job) => name === undefined || String(job.settings['name']).toLowerCase() === name);
  const page = pageOf(found, { token: query.get('page_token'), limit });
  const expand = query.get('expand_tasks') === 'true';
  return {
    // The service leaves an empty list out.
    ...(page.items.length === 0 ? {} : { jobs: page.items.map((job) => listed(job, expand)) }),
    has_more: page.next !== undefined,
    ...(page.next === undefined ? {} : { next_page_token: page.next }),
  };
}

/** Lists carry tasks and clusters only when asked, and never parameters (databricks/cli#1803). */
function listed(job: Job, expand: boolean): unknown {
  const settings: Settings = { ...job.settings };
  const tasks = settings['tasks'] as unknown[] | undefined;
  for (const member of arraysPaged) delete settings[member];
  if (expand && tasks) settings['tasks'] = tasks.slice(0, arrayPageLength);
  if (expand && job.settings['job_clusters']) settings['job_clusters'] = job.settings['job_clusters'];
  return { ...header(job), settings, ...(expand && tasks && tasks.length > 100 ? { has_more: true } : {}) };
}

function reset(call: ApiCall): unknown {
  const job = existing(call, requiredId(call.body, 'job_id'));
  const given = call.body['new_settings'];
  if (!isRecord(given)) throw invalid('Missing required field: new_settings');
  // A reset that leaves run_as out keeps the former one (measured in databricks/cli's test server).
  const runAs = job.settings['run_as'];
  const settings = acceptedSettings(runAs === undefined ? given : { run_as: runAs, ...given }, call.store);
  change(call, { ...job, settings }, 'job-reset');
  return {};
}

function update(call: ApiCall): unknown {
  const job = existing(call, requiredId(call.body, 'job_id'));
  const set = call.body['new_settings'] ?? {};
  const remove = call.body['fields_to_remove'] ?? [];
  if (!isRecord(set)) throw invalid('new_settings must be an object');
  if (!Array.isArray(remove) || !remove.every((field) => typeof field === 'string')) {
    throw invalid('fields_to_remove must be a list of strings');
  }
  const settings = acceptedSettings(mergedSettings(job.settings, { set, remove }), call.store);
  change(call, { ...job, settings }, 'job-updated');
  return {};
}

function change(call: ApiCall, job: Job, type: string): void {
  call.store.putJob(job);
  call.effect(type, String(job.settings['name']), { jobId: job.jobId, pauseStatus: pauseStatus(job.settings) });
  call.runs.jobChanged(job.jobId);
}

function remove(call: ApiCall): unknown {
  const job = existing(call, requiredId(call.body, 'job_id'));
  call.store.deleteJob(job.jobId);
  call.effect('job-deleted', String(job.settings['name']), { jobId: job.jobId });
  call.runs.jobChanged(job.jobId);
  return {};
}

function existing(call: ApiCall, jobId: string): Job {
  const job = call.store.job(jobId);
  if (!job) throw noSuchJob(jobId);
  return job;
}

function header(job: Job): Record<string, unknown> {
  return { job_id: BigInt(job.jobId), creator_user_name: job.creator, created_time: job.createdAt };
}

function pauseStatus(settings: Settings): unknown {
  const form = settings['schedule'] ?? settings['continuous'] ?? settings['trigger'];
  return isRecord(form) ? form['pause_status'] : null;
}
