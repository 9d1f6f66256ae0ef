import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { notebookTask, refusedWith, testWorkspace, type TestWorkspace } from './fixture.ts';

const api = '/api/2.2/jobs';
const invalid = { status: 400, errorCode: 'INVALID_PARAMETER_VALUE' };
let workspace: TestWorkspace;
before(async () => {
  workspace = await testWorkspace();
});
after(() => workspace.close());

async function create(settings: Record<string, unknown>): Promise<bigint> {
  return (await workspace.ok(workspace.post(`${api}/create`, settings)))['job_id'] as bigint;
}

async function settingsOf(jobId: bigint): Promise<Record<string, unknown>> {
  const job = await workspace.ok(workspace.get(`${api}/get`, { job_id: String(jobId) }));
  return job['settings'] as Record<string, unknown>;
}

test('a job id is a JSON integer that no double can hold, and a rounded one is another job', async () => {
  const jobId = await create({ name: 'large id', tasks: [notebookTask('/Shared/x')] });
  assert.ok(jobId > 2n ** 53n);
  const rounded = BigInt(Number(jobId));
  assert.notEqual(rounded, jobId);
  await refusedWith(workspace.get(`${api}/get`, { job_id: String(rounded) }), {
    ...invalid,
    message: /^Job \d+ does not exist\.$/,
  });
  await refusedWith(workspace.post(`${api}/delete`, { job_id: String(jobId) }), invalid);
});

test('the service adds its defaults and drops what it does not know', async () => {
  const jobId = await create({
    colour: 'red',
    schedule: { quartz_cron_expression: '0 0 3 * * ?', timezone_id: 'Europe/Berlin' },
    tasks: [
      { ...notebookTask('/Shared/x', 'c'), depends_on: [{ task_key: 'b' }, { task_key: 'a' }] },
      notebookTask('/Shared/x', 'a'),
      notebookTask('/Shared/x', 'b'),
    ],
  });
  const settings = await settingsOf(jobId);
  assert.equal(settings['name'], 'Untitled');
  assert.equal('colour' in settings, false);
  assert.equal((settings['schedule'] as { pause_status: string }).pause_status, 'UNPAUSED');
  const [task] = settings['tasks'] as Record<string, unknown>[];
  assert.deepEqual(task?.['depends_on'], [{ task_key: 'a' }, { task_key: 'b' }]);
  assert.equal(task?.['run_if'], 'ALL_SUCCESS');
});

test('what the service refuses is refused', async () => {
  const cron = (expression: string): Record<string, unknown> => ({
    schedule: { quartz_cron_expression: expression, timezone_id: 'UTC' },
  });
  const task = notebookTask('/Shared/x');
  for (const settings of [
    cron('0 3 * * *'),
    cron('0 0 3 * * *'),
    cron('0 0 3 ? * ?'),
    cron('0 0 99 * * ?'),
    { schedule: { quartz_cron_expression: '0 0 3 * * ?', timezone_id: 'Mars/Olympus' } },
    { ...cron('0 0 3 * * ?'), continuous: {} },
    { continuous: { pause_status: 'SLEEPING' } },
    { continuous: {}, max_concurrent_runs: 2 },
    { tags: Object.fromEntries(Array.from({ length: 26 }, (_, index) => [`tag${index}`, ''])) },
    { tasks: [task, task] },
    { tasks: [{ task_key: 'none' }] },
    { tasks: [{ ...task, depends_on: [{ task_key: 'ghost' }] }] },
    { tasks: [{ ...task, new_cluster: { policy_id: 'ABC', num_workers: 1 } }] },
    { tasks: [{ task_key: 'other', run_job_task: { job_id: 12 } }] },
  ]) {
    await refusedWith(workspace.post(`${api}/create`, settings), invalid);
  }
  await create(cron('0/2 * * ? * MON-FRI'));
  await create(cron('0 15 10 L * ? 2030'));
});

test('list pages newest first, filters by name without case, and names are not unique', async () => {
  for (let index = 0; index < 25; index++) await create({ name: 'Many', tasks: [notebookTask('/Shared/x')] });
  const first = await workspace.ok(workspace.get(`${api}/list`, { name: 'MANY' }));
  assert.equal((first['jobs'] as unknown[]).length, 20);
  assert.equal(first['has_more'], true);
  const token = String(first['next_page_token']);
  const second = await workspace.ok(workspace.get(`${api}/list`, { name: 'many', page_token: token }));
  assert.equal((second['jobs'] as unknown[]).length, 5);
  assert.equal('next_page_token' in second, false);
  const listed = (second['jobs'] as { settings: object }[])[0];
  assert.equal('tasks' in (listed?.settings ?? {}), false);
  await refusedWith(workspace.get(`${api}/list`, { limit: '101' }), invalid);
  await refusedWith(workspace.get(`${api}/list`, { page_token: 'garbage' }), invalid);
  assert.deepEqual(await workspace.ok(workspace.get(`${api}/list`, { name: 'nobody' })), { has_more: false });
});

test('more than 100 tasks come in pages', async () => {
  const tasks = Array.from({ length: 230 }, (_, index) => notebookTask('/Shared/x', `t${index}`));
  const jobId = await create({ name: 'wide', tasks, parameters: [{ name: 'p', default: '1' }] });
  const seen: string[] = [];
  let token: string | undefined;
  let pages = 0;
  do {
    const query = { job_id: String(jobId), ...(token === undefined ? {} : { page_token: token }) };
    const page = await workspace.ok(workspace.get(`${api}/get`, query));
    const settings = page['settings'] as Record<string, unknown>;
    seen.push(...(settings['tasks'] as { task_key: string }[]).map((task) => task.task_key));
    assert.equal('parameters' in settings, pages === 0);
    token = page['next_page_token'] as string | undefined;
    pages++;
  } while (token !== undefined);
  assert.equal(pages, 3);
  assert.equal(new Set(seen).size, 230);
});

test('update merges top-level members and keyed arrays, reset replaces all but run_as', async () => {
  const jobId = await create({
    name: 'changing',
    tags: { team: 'a', cost: '1' },
    run_as: { user_name: 'owner@example.com' },
    tasks: [notebookTask('/Shared/x', 'a'), notebookTask('/Shared/x', 'b')],
    schedule: { quartz_cron_expression: '0 0 3 * * ?', timezone_id: 'UTC', pause_status: 'PAUSED' },
  });
  const change = { tags: { team: 'b' }, tasks: [notebookTask('/Shared/y', 'b')] };
  await workspace.ok(
    workspace.post(`${api}/update`, { job_id: jobId, new_settings: change, fields_to_remove: ['schedule', 'tasks/a'] }),
  );
  const updated = await settingsOf(jobId);
  assert.deepEqual(updated['tags'], { team: 'b' });
  assert.equal('schedule' in updated, false);
  const tasks = updated['tasks'] as { task_key: string; notebook_task: { notebook_path: string } }[];
  assert.deepEqual(
    tasks.map((task) => [task.task_key, task.notebook_task.notebook_path]),
    [['b', '/Shared/y']],
  );
  await workspace.ok(workspace.post(`${api}/reset`, { job_id: jobId, new_settings: { name: 'fresh' } }));
  const reset = await settingsOf(jobId);
  assert.equal('tags' in reset, false);
  assert.deepEqual(reset['run_as'], { user_name: 'owner@example.com' });
});

test('cluster policies have unique names and a definition that is JSON; edit replaces', async () => {
  const policies = '/api/2.0/policies/clusters';
  const definition = JSON.stringify({ node_type_id: { type: 'fixed', value: 'Standard_DS3_v2' } });
  const created = await workspace.ok(
    workspace.post(`${policies}/create`, { name: 'small', definition, description: 'for jobs' }),
  );
  const policyId = created['policy_id'];
  await refusedWith(workspace.post(`${policies}/create`, { name: 'small', definition }), {
    ...invalid,
    message: /Cluster Policy with name `small` already exists/,
  });
  await refusedWith(workspace.post(`${policies}/create`, { name: 'broken', definition: '{' }), invalid);
  await refusedWith(workspace.post(`${policies}/create`, { name: 'list', definition: '[]' }), invalid);
  await workspace.ok(workspace.post(`${policies}/edit`, { policy_id: policyId, name: 'small', definition: '{}' }));
  const policy = await workspace.ok(workspace.get(`${policies}/get`, { policy_id: String(policyId) }));
  assert.equal(policy['definition'], '{}');
  assert.equal('description' in policy, false);
  const cluster = { job_cluster_key: 'c', new_cluster: { policy_id: policyId, num_workers: 1 } };
  await create({ name: 'with policy', job_clusters: [cluster] });
  await workspace.ok(workspace.post(`${policies}/delete`, { policy_id: policyId }));
  await refusedWith(workspace.get(`${policies}/get`, { policy_id: String(policyId) }), {
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
  });
});
