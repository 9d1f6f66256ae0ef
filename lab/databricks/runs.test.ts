import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ManualClock } from '#base';
import { base64, notebookTask, refusedWith, testWorkspace, type TestWorkspace } from './fixture.ts';
import type { DatabricksOptions } from './server.ts';

const api = '/api/2.2/jobs';

async function workspaceWithNotebook(
  context: TestContext,
  options: Partial<DatabricksOptions> = {},
): Promise<{ workspace: TestWorkspace; clock: ManualClock }> {
  const clock = new ManualClock();
  const workspace = await testWorkspace({ clock, runMs: 100, ...options });
  context.after(() => workspace.close());
  const notebook = { path: '/Shared/n', language: 'PYTHON', content: base64('1') };
  await workspace.ok(workspace.post('/api/2.0/workspace/import', notebook));
  return { workspace, clock };
}

async function create(workspace: TestWorkspace, settings: Record<string, unknown>): Promise<bigint> {
  const answer = await workspace.ok(
    workspace.post(`${api}/create`, { tasks: [notebookTask('/Shared/n')], ...settings }),
  );
  return answer['job_id'] as bigint;
}

async function runNow(workspace: TestWorkspace, body: Record<string, unknown>): Promise<bigint> {
  return (await workspace.ok(workspace.post(`${api}/run-now`, body)))['run_id'] as bigint;
}

async function stateOf(workspace: TestWorkspace, runId: bigint): Promise<(string | undefined)[]> {
  const run = await workspace.ok(workspace.get(`${api}/runs/get`, { run_id: String(runId) }));
  const state = run['state'] as { life_cycle_state: string; result_state?: string };
  return [state.life_cycle_state, state.result_state];
}

function fired(workspace: TestWorkspace): string[] {
  return workspace.effects('job-run-started').map((effect) => `${effect.key} ${String(effect.detail['trigger'])}`);
}

test('run-now runs, and the same idempotency token gives the same run', async (context) => {
  const { workspace, clock } = await workspaceWithNotebook(context);
  const jobId = await create(workspace, { name: 'smoke' });
  const first = await runNow(workspace, { job_id: jobId, idempotency_token: 'a'.repeat(64) });
  assert.deepEqual(await stateOf(workspace, first), ['RUNNING', undefined]);
  assert.equal(await runNow(workspace, { job_id: jobId, idempotency_token: 'a'.repeat(64) }), first);
  await clock.advance(100);
  assert.deepEqual(await stateOf(workspace, first), ['TERMINATED', 'SUCCESS']);
  assert.equal(await runNow(workspace, { job_id: jobId, idempotency_token: 'a'.repeat(64) }), first);
  assert.deepEqual(fired(workspace), ['smoke ONE_TIME']);
  const tooLong = { job_id: jobId, idempotency_token: 'a'.repeat(65) };
  await refusedWith(workspace.post(`${api}/run-now`, tooLong), { status: 400, errorCode: 'INVALID_PARAMETER_VALUE' });
});

test('a missing notebook is accepted at create and fails the run', async (context) => {
  const { workspace, clock } = await workspaceWithNotebook(context);
  const jobId = await create(workspace, { name: 'broken', tasks: [notebookTask('/Shared/ghost')] });
  const runId = await runNow(workspace, { job_id: jobId });
  await clock.advance(100);
  assert.deepEqual(await stateOf(workspace, runId), ['INTERNAL_ERROR', 'FAILED']);
});

test('run_job_task starts the other job and fails with it', async (context) => {
  const { workspace, clock } = await workspaceWithNotebook(context);
  const inner = await create(workspace, { name: 'inner', tasks: [notebookTask('/Shared/ghost')] });
  const outer = await create(workspace, {
    name: 'outer',
    tasks: [{ task_key: 'call', run_job_task: { job_id: inner } }],
  });
  const runId = await runNow(workspace, { job_id: outer });
  await clock.advance(200);
  assert.deepEqual(fired(workspace), ['outer ONE_TIME', 'inner RUN_JOB_TASK']);
  assert.deepEqual(await stateOf(workspace, runId), ['INTERNAL_ERROR', 'FAILED']);
});

test('a cron job fires at its ticks while unpaused; a run above max_concurrent_runs is skipped', async (context) => {
  const { workspace, clock } = await workspaceWithNotebook(context);
  const schedule = { quartz_cron_expression: '0/10 * * * * ?', timezone_id: 'UTC' };
  const jobId = await create(workspace, { name: 'ticking', schedule });
  await create(workspace, { name: 'paused', schedule: { ...schedule, pause_status: 'PAUSED' } });
  await clock.advance(9_999);
  assert.deepEqual(fired(workspace), []);
  await clock.advance(1);
  assert.deepEqual(fired(workspace), ['ticking PERIODIC']);
  assert.equal(workspace.effects('job-run-started')[0]?.askedId, null);
  const second = await runNow(workspace, { job_id: jobId });
  assert.deepEqual(await stateOf(workspace, second), ['SKIPPED', undefined]);
  await clock.advance(20_000);
  assert.equal(fired(workspace).length, 3);
  const paused = { job_id: jobId, new_settings: { schedule: { ...schedule, pause_status: 'PAUSED' } } };
  await workspace.ok(workspace.post(`${api}/update`, paused));
  await clock.advance(60_000);
  assert.equal(fired(workspace).length, 3);
});

test('a continuous job starts again when it ends, and ever later when it fails', async (context) => {
  const { workspace, clock } = await workspaceWithNotebook(context);
  const jobId = await create(workspace, { name: 'stream', continuous: {} });
  await clock.advance(350);
  assert.deepEqual(fired(workspace), Array(4).fill('stream CONTINUOUS'));
  await workspace.ok(
    workspace.post(`${api}/update`, { job_id: jobId, new_settings: { continuous: { pause_status: 'PAUSED' } } }),
  );
  await clock.advance(1_000);
  assert.equal(fired(workspace).length, 4);
  await create(workspace, { name: 'failing', continuous: {}, tasks: [notebookTask('/Shared/ghost')] });
  await clock.advance(1_000);
  const failing = fired(workspace).filter((run) => run.startsWith('failing'));
  assert.equal(failing.length, 3, 'at 0, 300 and 800 ms');
});

test('runs/list pages, filters by start and job, and shows the trigger', async (context) => {
  const { workspace, clock } = await workspaceWithNotebook(context);
  const jobId = await create(workspace, { name: 'often', max_concurrent_runs: 100 });
  await create(workspace, { name: 'other' });
  for (let index = 0; index < 30; index++) await runNow(workspace, { job_id: jobId });
  await clock.advance(1_000);
  const sinceMs = clock.wallMs();
  await runNow(workspace, { job_id: jobId });
  const recent = await workspace.ok(workspace.get(`${api}/runs/list`, { start_time_from: String(sinceMs) }));
  assert.equal((recent['runs'] as unknown[]).length, 1);
  const first = await workspace.ok(workspace.get(`${api}/runs/list`, { job_id: String(jobId), limit: '25' }));
  assert.equal((first['runs'] as { trigger: string }[])[24]?.trigger, 'ONE_TIME');
  const query = { job_id: String(jobId), limit: '25', page_token: String(first['next_page_token']) };
  assert.equal(((await workspace.ok(workspace.get(`${api}/runs/list`, query)))['runs'] as unknown[]).length, 6);
  const active = await workspace.ok(workspace.get(`${api}/runs/list`, { active_only: 'true' }));
  assert.equal((active['runs'] as unknown[]).length, 1);
  await workspace.ok(workspace.post(`${api}/runs/cancel-all`, { job_id: jobId }));
  assert.deepEqual(await workspace.ok(workspace.get(`${api}/runs/list`, { active_only: 'true' })), { has_more: false });
  await refusedWith(workspace.get(`${api}/runs/list`, { limit: '26' }), {
    status: 400,
    errorCode: 'INVALID_PARAMETER_VALUE',
  });
});

test('after a restart continuous jobs fire at once, cron jobs at their next tick, and nothing is caught up', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'databricks-'));
  context.after(() => rm(directory, { recursive: true }));
  const dataFile = join(directory, 'vendor.sqlite');
  const { workspace } = await workspaceWithNotebook(context, { dataFile });
  await create(workspace, { name: 'stream', continuous: {} });
  const schedule = { quartz_cron_expression: '0 * * * * ?', timezone_id: 'UTC' };
  await create(workspace, { name: 'minutely', schedule });
  const held = await runNow(workspace, { job_id: await create(workspace, { name: 'under way' }) });
  const before = fired(workspace).length;
  await workspace.close();

  const later = new ManualClock(Date.UTC(2026, 0, 2, 12, 30, 30));
  const again = await testWorkspace({ dataFile, clock: later, runMs: 100_000 });
  context.after(() => again.close());
  assert.deepEqual(fired(again).slice(before), ['stream CONTINUOUS']);
  assert.deepEqual(await stateOf(again, held), ['INTERNAL_ERROR', 'FAILED']);
  await later.advance(30_000);
  assert.deepEqual(fired(again).slice(before), ['stream CONTINUOUS', 'minutely PERIODIC']);
});
