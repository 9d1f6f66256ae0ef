// Jobs API 2.2, runs: run-now, runs/get, runs/list, runs/cancel, runs/cancel-all.

import { isRecord } from '#base';
import { limitOf, pageOf, queryId, requiredId, type ApiCall, type Operations } from './api.ts';
import { invalid, noSuchJob, noSuchRun } from './errors.ts';
import { integerText } from './json.ts';
import type { Run } from './store.ts';

const idempotencyTokenCharsMax = 64;
/** The reference allows at most 25 runs a page. */
const pageLengthMax = 25;

export const runOperations: Operations = {
  'POST /api/2.2/jobs/run-now': runNow,
  'GET /api/2.2/jobs/runs/get': get,
  'GET /api/2.2/jobs/runs/list': list,
  'POST /api/2.2/jobs/runs/cancel': cancel,
  'POST /api/2.2/jobs/runs/cancel-all': cancelAll,
};

function runNow(call: ApiCall): unknown {
  const jobId = requiredId(call.body, 'job_id');
  const job = call.store.job(jobId);
  if (!job) throw noSuchJob(jobId);
  const token = call.body['idempotency_token'];
  if (token !== undefined && (typeof token !== 'string' || token.length > idempotencyTokenCharsMax)) {
    throw invalid(`idempotency_token must have at most ${idempotencyTokenCharsMax} characters`);
  }
  const earlier = typeof token === 'string' && token !== '' ? call.store.runByToken(token) : undefined;
  if (earlier) return started(earlier);
  const run = call.runs.start(job, {
    trigger: 'ONE_TIME',
    effect: call.effect,
    creator: call.principal,
    parameters: parametersOf(call.body['job_parameters']),
    ...(typeof token === 'string' && token !== '' ? { token } : {}),
  });
  return started(run);
}

function started(run: Run): unknown {
  return { run_id: BigInt(run.runId), number_in_job: BigInt(run.runId) };
}

function parametersOf(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value) || !Object.values(value).every((item) => typeof item === 'string')) {
    throw invalid('job_parameters must be a map of strings');
  }
  return value as Record<string, string>;
}

function get(call: ApiCall): unknown {
  const runId = queryId(call.query, 'run_id');
  const run = call.store.run(runId);
  if (!run) throw noSuchRun(runId);
  return shown(run);
}

function list(call: ApiCall): unknown {
  const { query, store } = call;
  const jobId = query.get('job_id') === null ? undefined : queryId(query, 'job_id');
  const activeOnly = query.get('active_only') === 'true';
  if (activeOnly && query.get('completed_only') === 'true') {
    throw invalid('active_only and completed_only cannot both be true');
  }
  const from = timeOf(query, 'start_time_from') ?? 0;
  const to = timeOf(query, 'start_time_to') ?? Infinity;
  const limit = limitOf(query, { fallback: 20, max: pageLengthMax });
  const found = store
    .runs(from)
    .filter(
      (run) =>
        (jobId === undefined || run.jobId === jobId) &&
        (!activeOnly || run.lifeCycle === 'RUNNING') &&
        (query.get('completed_only') !== 'true' || run.lifeCycle !== 'RUNNING') &&
        run.startedAt <= to,
    );
  const page = pageOf(found, { token: query.get('page_token'), limit });
  return {
    ...(page.items.length === 0 ? {} : { runs: page.items.map(shown) }),
    has_more: page.next !== undefined,
    ...(page.next === undefined ? {} : { next_page_token: page.next }),
  };
}

function timeOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d+$/.test(text)) throw invalid(`Invalid ${name}: ${text}`);
  return Number(text);
}

function cancel(call: ApiCall): unknown {
  const runId = requiredId(call.body, 'run_id');
  const run = call.store.run(runId);
  if (!run) throw noSuchRun(runId);
  cancelRun(call, run);
  return {};
}

function cancelAll(call: ApiCall): unknown {
  const jobId = integerText(call.body['job_id']);
  if (jobId === undefined) throw invalid('Missing required field: job_id');
  if (!call.store.job(jobId)) throw noSuchJob(jobId);
  for (const run of call.store.activeRuns()) if (run.jobId === jobId) cancelRun(call, run);
  return {};
}

function cancelRun(call: ApiCall, run: Run): void {
  if (run.lifeCycle !== 'RUNNING') return;
  call.runs.cancel(run);
  call.effect('job-run-cancelled', run.name, { jobId: run.jobId, runId: run.runId });
}

function shown(run: Run): unknown {
  const state = {
    life_cycle_state: run.lifeCycle,
    ...(run.result === '' ? {} : { result_state: run.result }),
    state_message: run.message,
    user_cancelled_or_timedout: run.result === 'CANCELED',
  };
  return {
    job_id: BigInt(run.jobId),
    run_id: BigInt(run.runId),
    number_in_job: BigInt(run.runId),
    creator_user_name: run.creator,
    run_name: run.name,
    run_type: 'JOB_RUN',
    trigger: run.trigger,
    start_time: run.startedAt,
    end_time: run.endedAt,
    state,
    job_parameters: Object.entries(run.parameters).map(([name, value]) => ({ name, value })),
  };
}
