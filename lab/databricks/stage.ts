// For tests of the connector: two simulated workspaces, the connector between them, and a clock that notes every wait
// instead of waiting.

import { codeOf, Failure, systemClock, systemRandomness, type Clock, type Site } from '#base';
import { createDatabricks, type ActContext, type Artifact, type Change, type DatabricksConnector } from '#connectors';
import { base64, notebookTask, testWorkspace, token, type TestWorkspace } from './fixture.ts';

export interface Stage {
  readonly home: TestWorkspace;
  readonly partner: TestWorkspace;
  readonly connector: DatabricksConnector;
  /** Waits the connector asked for, ms. */
  readonly waits: number[];
  /** What the stamp's references mean; any other reads the right token. */
  readonly tokens: Record<string, string>;
  /** Called at each wait. */
  onWait: (ms: number) => void;
  /** Another process of ours: nothing in memory is shared. */
  readonly again: () => DatabricksConnector;
  close(): Promise<void>;
}

export const regionPairs = [
  { home: 'sthomedata', partner: 'stpartnerdata' },
  { home: 'Standard_DS3_v2', partner: 'Standard_D4s_v5' },
];

export const read = { signal: AbortSignal.timeout(60_000) };

export function act(name = 'sync/1'): ActContext {
  return { ...read, epoch: { generation: 1, number: 7 }, act: name, assertMayAct: () => {} };
}

export async function openStage(options: { runMs?: number; callDeadlineMs?: number } = {}): Promise<Stage> {
  const run = options.runMs === undefined ? {} : { runMs: options.runMs };
  const home = await testWorkspace({ name: 'databricks-home', ...run });
  const partner = await testWorkspace({ name: 'databricks-partner', ...run });
  const waits: number[] = [];
  const clock: Clock = {
    ...systemClock,
    async sleep(ms, signal) {
      waits.push(ms);
      stage.onWait(ms);
      await systemClock.sleep(1, signal);
    },
  };
  const again = (): DatabricksConnector =>
    createDatabricks({
      dependency: {
        id: 'databricks',
        deletions: 'propagate',
        kind: 'databricks',
        after: [],
        home: { url: home.url, token: 'env:HOME_TOKEN' },
        partner: { url: partner.url, token: 'env:PARTNER_TOKEN' },
        notebookRoots: ['/Shared/stamp'],
        smokeJob: 'smoke',
        doubleExecution: [],
        regionMap: regionPairs,
      },
      secrets: { read: (reference) => Promise.resolve(stage.tokens[reference] ?? token) },
      clock,
      randomness: systemRandomness,
      settleMs: 2_000,
      callDeadlineMs: options.callDeadlineMs ?? 10_000,
    });
  const stage: Stage = {
    home,
    partner,
    connector: again(),
    waits,
    tokens: {},
    onWait: () => {},
    again,
    close: async () => {
      await home.close();
      await partner.close();
    },
  };
  return stage;
}

export const schedule = { quartz_cron_expression: '0 0 3 * * ?', timezone_id: 'UTC' };

/** A stamp's worth of objects at home: policy, notebook, a job that uses both, one it runs, one paused on purpose. */
export async function furnish(workspace: TestWorkspace): Promise<void> {
  await workspace.ok(workspace.post('/api/2.0/workspace/mkdirs', { path: '/Shared/stamp/features' }));
  const content = base64("path = 'abfss://data@sthomedata.dfs.core.windows.net'\n");
  const notebook = { path: '/Shared/stamp/features/build', language: 'PYTHON', content };
  await workspace.ok(workspace.post('/api/2.0/workspace/import', notebook));
  const definition = JSON.stringify({ node_type_id: { type: 'fixed', value: 'Standard_DS3_v2' } });
  const policy = await workspace.ok(
    workspace.post('/api/2.0/policies/clusters/create', { name: 'stamp-small', definition }),
  );
  const tasks = [notebookTask('/Shared/stamp/features/build')];
  const inner = await createJob(workspace, { name: 'inner', tasks });
  await createJob(workspace, {
    name: 'nightly',
    schedule,
    tags: { team: 'features' },
    tasks: [
      { ...tasks[0], job_cluster_key: 'main' },
      { task_key: 'then', depends_on: [{ task_key: 'main' }], run_job_task: { job_id: inner } },
    ],
    job_clusters: [
      {
        job_cluster_key: 'main',
        new_cluster: { policy_id: policy['policy_id'], spark_conf: { 'fs.account.sthomedata.key': 'x' } },
      },
    ],
  });
  await createJob(workspace, { name: 'resting', schedule: { ...schedule, pause_status: 'PAUSED' }, tasks });
  await createJob(workspace, { name: 'smoke', tasks });
}

export async function createJob(workspace: TestWorkspace, settings: Record<string, unknown>): Promise<bigint> {
  return (await workspace.ok(workspace.post('/api/2.2/jobs/create', settings)))['job_id'] as bigint;
}

/** Settings of the only job of that name. */
export async function jobNamed(
  workspace: TestWorkspace,
  name: string,
): Promise<{ jobId: bigint; settings: Record<string, unknown> }> {
  const found = (await workspace.ok(workspace.get('/api/2.2/jobs/list', { name })))['jobs'] as { job_id: bigint }[];
  if (found?.length !== 1) throw new Error(`${found?.length ?? 0} jobs are named ${name}`);
  const jobId = found[0]?.job_id ?? 0n;
  const job = await workspace.ok(workspace.get('/api/2.2/jobs/get', { job_id: String(jobId) }));
  return { jobId, settings: job['settings'] as Record<string, unknown> };
}

/** Carried artifacts that are missing, extra or different at the following site. */
export async function drift(connector: DatabricksConnector, from: Site, to: Site): Promise<Change[]> {
  const leading = carried((await connector.inventory(from, 'leading', read)).artifacts);
  const following = carried((await connector.inventory(to, 'following', read)).artifacts);
  const changes: Change[] = [];
  for (const [id, artifact] of leading) {
    const present = following.get(id);
    if (present?.digest === artifact.digest) continue;
    changes.push({ action: present ? 'update' : 'create', kind: artifact.kind, key: artifact.key, from, to });
  }
  for (const [id, { kind, key }] of following) {
    if (!leading.has(id)) changes.push({ action: 'delete', kind, key, from, to });
  }
  return changes;
}

function carried(artifacts: readonly Artifact[]): Map<string, Artifact> {
  const chosen = artifacts.filter((artifact) => artifact.class === 'carried');
  return new Map(chosen.map((artifact) => [`${artifact.kind} ${artifact.key}`, artifact]));
}

/** Applies all drift, as replication does, and gives back what it was. */
export async function synchronise(connector: DatabricksConnector, from: Site, to: Site): Promise<Change[]> {
  const changes = await drift(connector, from, to);
  for (const change of changes) await connector.apply(change, act(`sync/${change.kind}/${change.key}`));
  return changes;
}

export function job(key: string, action: Change['action'] = 'create'): Change {
  return { action, kind: 'job', key, from: 'home', to: 'partner' };
}

/** The code of the failure an action ends in. */
export async function failureOf(action: Promise<unknown>): Promise<Failure> {
  try {
    await action;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw new Error(`no Failure but ${codeOf(error)}`, { cause: error });
  }
  throw new Error('nothing failed');
}
