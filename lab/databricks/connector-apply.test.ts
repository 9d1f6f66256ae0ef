import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Failure } from '#base';
import { base64, notebookTask } from './fixture.ts';
import {
  act,
  createJob,
  drift,
  failureOf,
  furnish,
  job,
  jobNamed,
  openStage,
  read,
  schedule,
  synchronise,
  type Stage,
} from './stage.ts';

async function stageOf(context: TestContext): Promise<Stage> {
  const stage = await openStage();
  context.after(() => stage.close());
  return stage;
}

test('everything is carried over, held, with ids and region texts of the other side; twice changes nothing', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await furnish(home);
  const furnished = home.effects().length;
  assert.equal((await synchronise(connector, 'home', 'partner')).length, 6);
  assert.deepEqual(await drift(connector, 'home', 'partner'), []);

  const { settings } = await jobNamed(partner, 'nightly');
  assert.deepEqual(settings['schedule'], { ...schedule, pause_status: 'PAUSED' });
  assert.deepEqual(settings['tags'], {
    team: 'features',
    understudy_key: 'nightly',
    understudy_wanted: 'UNPAUSED',
  });
  const tasks = settings['tasks'] as { run_job_task?: { job_id: bigint } }[];
  const inner = await jobNamed(partner, 'inner');
  assert.equal(tasks.find((task) => task.run_job_task)?.run_job_task?.job_id, inner.jobId);
  const [cluster] = settings['job_clusters'] as { new_cluster: { policy_id: string; spark_conf: object } }[];
  assert.deepEqual(cluster?.new_cluster.spark_conf, { 'fs.account.stpartnerdata.key': 'x' });
  const policies = (await partner.ok(partner.get('/api/2.0/policies/clusters/list')))['policies'];
  const [policy] = policies as { policy_id: string; definition: string }[];
  assert.equal(cluster?.new_cluster.policy_id, policy?.policy_id);
  assert.match(policy?.definition ?? '', /Standard_D4s_v5/);
  const notebook = await partner.ok(partner.get('/api/2.0/workspace/export', { path: '/Shared/stamp/features/build' }));
  assert.match(Buffer.from(String(notebook['content']), 'base64').toString(), /data@stpartnerdata\.dfs/);

  const before = partner.effects().length;
  const { artifacts } = await connector.inventory('home', 'leading', read);
  for (const { kind, key } of artifacts) {
    for (const action of ['create', 'update'] as const) {
      await connector.apply({ action, kind, key, from: 'home', to: 'partner' }, act());
    }
  }
  assert.equal(partner.effects().length, before);
  assert.equal(home.effects().length, furnished, 'nothing was written where it leads');
});

test('the same objects come back the other way without a difference', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await furnish(home);
  await synchronise(connector, 'home', 'partner');
  for (const { job: key } of await connector.schedules('home', read)) await connector.hold('home', key, read);
  for (const { job: key } of await connector.schedules('partner', read)) await connector.release('partner', key, act());
  assert.deepEqual(await drift(connector, 'partner', 'home'), []);

  const content = base64('where = "stpartnerdata" # sthomedata\n');
  await partner.ok(
    partner.post('/api/2.0/workspace/import', {
      path: '/Shared/stamp/features/build',
      language: 'PYTHON',
      content,
      overwrite: true,
    }),
  );
  assert.deepEqual(
    (await synchronise(connector, 'partner', 'home')).map((change) => `${change.action} ${change.key}`),
    ['update /Shared/stamp/features/build'],
  );
  const notebook = await home.ok(home.get('/api/2.0/workspace/export', { path: '/Shared/stamp/features/build' }));
  const source = Buffer.from(String(notebook['content']), 'base64').toString();
  assert.match(source, /where = "sthomedata" # sthomedata/);
  const left = await drift(connector, 'partner', 'home');
  assert.deepEqual(
    left.map((change) => change.key),
    ['/Shared/stamp/features/build'],
    "home's own text at the partner is a difference, never taken for mapped",
  );
});

for (const path of ['/api/2.2/jobs/create', '/api/2.0/policies/clusters/create']) {
  test(`the answer to ${path} is lost: it is looked up after settling, and no twin is made`, async (context) => {
    const { home, partner, connector, waits } = await stageOf(context);
    await furnish(home);
    partner.faults.replace([{ kind: 'lose-answer', match: `POST ${path}` }]);
    await synchronise(connector, 'home', 'partner');
    partner.faults.replace([]);
    assert.ok(waits.includes(2_000));
    assert.deepEqual(await drift(connector, 'home', 'partner'), []);
    assert.equal(partner.effects('job-created').length, 4);
    assert.equal(partner.effects('policy-created').length, 1);
    assert.deepEqual((await connector.inventory('partner', 'following', read)).twins, []);
  });
}

test('killed between a create and its answer, then repeated by a new process: no twin', async (context) => {
  const stage = await stageOf(context);
  const { home, partner, connector, again } = stage;
  await createJob(home, { name: 'nightly', schedule });
  partner.faults.replace([{ kind: 'lose-answer', match: 'jobs/create', times: 1 }]);
  const controller = new AbortController();
  stage.onWait = () => controller.abort(new Failure('KILLED', 'killed'));
  const killed = await failureOf(connector.apply(job('nightly'), { ...act(), signal: controller.signal }));
  assert.equal(killed.code, 'KILLED');
  assert.equal(partner.effects('job-created').length, 1, 'the create had taken effect');
  stage.onWait = () => {};
  await again().apply(job('nightly'), act());
  await jobNamed(partner, 'nightly');
  assert.equal(partner.effects('job-created').length, 1);
});

test('an unanswered create that never took effect is made once more, only after it was looked up', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await createJob(home, { name: 'nightly', schedule });
  partner.faults.replace([{ kind: 'status', status: 503, headers: {}, body: '{}', match: 'jobs/create', times: 1 }]);
  await connector.apply(job('nightly'), act());
  assert.equal(partner.effects('job-created').length, 1);
  const asked = partner.ledger.askedAfter(0).map((row) => `${row.method} ${row.path}`);
  const [first, second] = asked.flatMap((call, index) => (call.endsWith('jobs/create') ? [index] : []));
  assert.ok(asked.slice(first, second).includes('GET /api/2.2/jobs/list'));
});

test('younger twins with our marker go, the oldest stays; a copy a person made keeps its place', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await createJob(home, { name: 'nightly', schedule });
  await connector.apply(job('nightly'), act());
  const { jobId, settings } = await jobNamed(partner, 'nightly');
  await createJob(partner, settings);
  await createJob(partner, { ...settings, name: 'Clone of nightly' });
  assert.equal((await connector.inventory('partner', 'following', read)).twins.length, 1);
  await connector.apply(job('nightly', 'update'), act());
  assert.equal((await jobNamed(partner, 'nightly')).jobId, jobId);
  await jobNamed(partner, 'Clone of nightly');
  assert.deepEqual((await connector.inventory('partner', 'following', read)).twins, []);
});

test('a renamed copy is known by its marker and gets its name back', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await createJob(home, { name: 'nightly', schedule });
  await connector.apply(job('nightly'), act());
  const { jobId } = await jobNamed(partner, 'nightly');
  await partner.ok(partner.post('/api/2.2/jobs/update', { job_id: jobId, new_settings: { name: 'renamed' } }));
  await connector.apply(job('nightly', 'update'), act());
  assert.equal((await jobNamed(partner, 'nightly')).jobId, jobId);
  assert.equal(partner.effects('job-created').length, 1);
});

test('jobs that share a name are listed with the reason and never guessed', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await createJob(home, { name: 'same', schedule });
  await createJob(home, { name: 'same' });
  const { artifacts } = await connector.inventory('home', 'leading', read);
  assert.equal(artifacts.length, 1);
  assert.equal(artifacts[0]?.class, 'listed');
  assert.match(artifacts[0]?.reason ?? '', /2 jobs share this name/);
  assert.equal((await failureOf(connector.apply(job('same'), act()))).code, 'DATABRICKS_AMBIGUOUS_JOB');
  assert.deepEqual(partner.effects('job-created'), []);
});

test('what a bundle owns, or what has no counterpart, is listed with the reason and never written', async (context) => {
  const { home, connector } = await stageOf(context);
  const deployment = { kind: 'BUNDLE', metadata_file_path: '/Shared/.bundle/x/metadata.json' };
  await createJob(home, { name: 'bundled', schedule, deployment, edit_mode: 'UI_LOCKED' });
  const task = { ...notebookTask('/Shared/stamp/n'), existing_cluster_id: '0923-1' };
  await createJob(home, { name: 'pinned', tasks: [task] });
  const { artifacts } = await connector.inventory('home', 'leading', read);
  const reasons = Object.fromEntries(artifacts.map((artifact) => [artifact.key, artifact.reason]));
  assert.match(reasons['bundled'] ?? '', /owned by bundle \/Shared\/\.bundle/);
  assert.match(reasons['pinned'] ?? '', /existing_cluster_id 0923-1 exists in this workspace only/);
  assert.equal((await failureOf(connector.apply(job('bundled'), act()))).code, 'DATABRICKS_NOT_CARRIED');
  assert.deepEqual(await connector.schedules('home', read), []);
});

test('a following job whose schedule was released by hand is drift, and a sync holds it again', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await createJob(home, { name: 'nightly', schedule });
  await synchronise(connector, 'home', 'partner');
  const { jobId } = await jobNamed(partner, 'nightly');
  const released = { job_id: jobId, new_settings: { schedule: { ...schedule, pause_status: 'UNPAUSED' } } };
  await partner.ok(partner.post('/api/2.2/jobs/update', released));
  const { artifacts } = await connector.inventory('partner', 'following', read);
  assert.equal(artifacts[0]?.view?.['held'], false);
  assert.equal((await synchronise(connector, 'home', 'partner')).length, 1);
  assert.deepEqual(await drift(connector, 'home', 'partner'), []);
});

test('deletions: ours go, what others made stays, what still leads stays', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await furnish(home);
  await synchronise(connector, 'home', 'partner');
  await createJob(partner, { name: 'by hand' });
  assert.equal((await failureOf(connector.apply(job('by hand', 'delete'), act()))).code, 'DATABRICKS_NOT_OURS');
  assert.equal((await failureOf(connector.apply(job('smoke', 'delete'), act()))).code, 'DATABRICKS_STILL_WANTED');
  const { jobId } = await jobNamed(home, 'resting');
  await home.ok(home.post('/api/2.2/jobs/delete', { job_id: jobId }));
  await home.ok(home.post('/api/2.0/workspace/delete', { path: '/Shared/stamp/features/build' }));
  for (const [kind, key] of [
    ['job', 'resting'],
    ['notebook', '/Shared/stamp/features/build'],
  ] as const) {
    const change = { action: 'delete', kind, key, from: 'home', to: 'partner' } as const;
    await connector.apply(change, act());
    await connector.apply(change, act());
  }
  assert.deepEqual(
    (await drift(connector, 'home', 'partner')).map((change) => `${change.action} ${change.key}`),
    ['delete by hand'],
  );
  const outside = { action: 'delete', kind: 'notebook', key: '/Users/someone/n', from: 'home', to: 'partner' } as const;
  assert.equal((await failureOf(connector.apply(outside, act()))).code, 'DATABRICKS_OUTSIDE_ROOTS');
});

test('many jobs and wide jobs: every page is read, and nothing is lost on the way', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  for (let index = 0; index < 120; index++) await createJob(home, { name: `job ${index}` });
  const tasks = Array.from({ length: 230 }, (_, index) => notebookTask('/Shared/stamp/n', `t${index}`));
  await createJob(home, { name: 'wide', tasks, parameters: [{ name: 'p', default: '9007199254740993' }] });
  const { artifacts } = await connector.inventory('home', 'leading', read);
  assert.equal(artifacts.length, 121);
  await connector.apply(job('wide'), act());
  const wide = (await connector.inventory('partner', 'following', read)).artifacts[0];
  assert.equal(wide?.digest, artifacts.find((artifact) => artifact.key === 'wide')?.digest);
  const stored = wide?.view?.['settings'] as { tasks: unknown[] };
  assert.equal(stored.tasks.length, 230);
  assert.equal(partner.effects('job-created').length, 1);
});

test('workspace files are listed; a notebook of another encoding than UTF-8 too', async (context) => {
  const { home, connector } = await stageOf(context);
  await home.ok(home.post('/api/2.0/workspace/mkdirs', { path: '/Shared/stamp' }));
  const file = { path: '/Shared/stamp/table.csv', format: 'AUTO', content: base64('a,b') };
  await home.ok(home.post('/api/2.0/workspace/import', file));
  const latin = Buffer.from([0x6f, 0xff, 0xfe]).toString('base64');
  await home.ok(
    home.post('/api/2.0/workspace/import', { path: '/Shared/stamp/latin', language: 'PYTHON', content: latin }),
  );
  const { artifacts } = await connector.inventory('home', 'leading', read);
  assert.deepEqual(
    artifacts.map((artifact) => [artifact.kind, artifact.key, artifact.class, artifact.reason]),
    [
      ['notebook', '/Shared/stamp/latin', 'listed', 'its source is not UTF-8 text'],
      ['workspace-object', '/Shared/stamp/table.csv', 'listed', 'it is a FILE; only notebooks are carried'],
    ],
  );
});
