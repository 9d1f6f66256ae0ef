// What the home region of a new lab holds: notebooks, jobs, a cluster policy, prompts with versions, blobs.

import { request } from 'undici';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from './layout.ts';
import { seedStorage } from './storage/mod.ts';

export async function seedLab(layout: Layout): Promise<void> {
  const done = join(layout.directory, 'data', 'seeded');
  if (existsSync(done)) return;
  await Promise.all([seedDatabricks(layout), seedPrompts(layout), seedBlobs(layout)]);
  writeFileSync(done, '');
}

async function seedDatabricks(layout: Layout): Promise<void> {
  const base = `http://127.0.0.1:${layout.port('home', 'databricks')}`;
  const authorization = `Bearer ${layout.secret('databricks-home')}`;
  const post = (path: string, body: object): Promise<string> => call(`${base}${path}`, { authorization, body });
  const names = ['features', 'index', 'report', 'smoke', 'orchestrate'];
  await post('/api/2.0/workspace/mkdirs', { path: '/Stamp/jobs' });
  for (const name of names) {
    const source = `# Databricks notebook source\n# ${name}: reads abfss://data@stlabhome.dfs.core.windows.net/${name}\nprint("${name}")\n`;
    await post('/api/2.0/workspace/import', {
      path: `/Stamp/jobs/${name}`,
      format: 'SOURCE',
      language: 'PYTHON',
      overwrite: true,
      content: Buffer.from(source).toString('base64'),
    });
  }
  const policy = await post('/api/2.0/policies/clusters/create', {
    name: 'stamp-jobs',
    definition: JSON.stringify({ node_type_id: { type: 'fixed', value: 'Standard_DS3_v2' } }),
  });
  const policyId = (JSON.parse(policy) as { policy_id: string }).policy_id;
  const task = (name: string): object => ({ task_key: name, notebook_task: { notebook_path: `/Stamp/jobs/${name}` } });
  const cluster = {
    spark_version: '16.4.x-scala2.12',
    node_type_id: 'Standard_DS3_v2',
    num_workers: 1,
    policy_id: policyId,
  };
  const job = async (settings: object): Promise<string> =>
    // Job ids exceed what a JavaScript number holds: the text is kept.
    /"job_id":\s*(\d+)/.exec(await post('/api/2.2/jobs/create', settings))?.[1] ?? '';
  await job({ name: 'smoke', tasks: [task('smoke')] });
  const features = await job({
    name: 'nightly-features',
    tasks: [{ ...task('features'), job_cluster_key: 'main' }],
    job_clusters: [{ job_cluster_key: 'main', new_cluster: cluster }],
    schedule: { quartz_cron_expression: '0/15 * * * * ?', timezone_id: 'UTC', pause_status: 'UNPAUSED' },
  });
  await job({ name: 'live-index', tasks: [task('index')], continuous: { pause_status: 'UNPAUSED' } });
  await job({
    name: 'weekly-report',
    tasks: [task('report')],
    schedule: { quartz_cron_expression: '0 0 6 ? * MON', timezone_id: 'Europe/Amsterdam', pause_status: 'PAUSED' },
  });
  await call(`${base}/api/2.2/jobs/create`, {
    authorization,
    text: `{"name":"orchestrate","tasks":[{"task_key":"features","run_job_task":{"job_id":${features}}}],"schedule":{"quartz_cron_expression":"0 0 5 * * ?","timezone_id":"UTC","pause_status":"UNPAUSED"}}`,
  });
}

async function seedPrompts(layout: Layout): Promise<void> {
  const base = `http://127.0.0.1:${layout.port('home', 'langfuse')}`;
  const pair = Buffer.from(`pk-lf-lab:${layout.secret('langfuse-secret')}`).toString('base64');
  const prompt = (name: string, text: string, labels: string[]): Promise<string> =>
    call(`${base}/api/public/v2/prompts`, {
      authorization: `Basic ${pair}`,
      body: { name, type: 'text', prompt: text, labels, tags: ['support'], config: { temperature: 0 } },
    });
  await prompt('triage', 'Sort the case {{case}} into one of {{queues}}.', []);
  await prompt('triage', 'Sort the case {{case}} into one of {{queues}}. Answer with the queue only.', ['production']);
  await prompt('triage', 'Sort the case {{case}} into exactly one of {{queues}}.', ['staging']);
  await prompt('support/answer', 'Answer the customer about order {{order}}.', ['production']);
}

async function seedBlobs(layout: Layout): Promise<void> {
  const blobs = [
    {
      container: 'features',
      name: 'customers/2026-11-22.json',
      content: '{"rows":3}\n',
      contentType: 'application/json',
    },
    {
      container: 'features',
      name: 'orders/2026-11-22.json',
      content: '{"rows":12}\n',
      contentType: 'application/json',
    },
    { container: 'prompt-archive', name: 'triage/1.txt', content: 'Sort the case into one of the queues.\n' },
  ];
  const account = (site: 'home' | 'partner'): { url: string; account: string; key: string } => ({
    url: `http://127.0.0.1:${layout.port(site, 'storage')}/stlab${site}`,
    account: `stlab${site}`,
    key: layout.secret(`storage-${site}`),
  });
  await seedStorage({ ...account('home'), containers: ['features', 'prompt-archive', 'understudy-probe'], blobs });
  await seedStorage({ ...account('partner'), containers: ['understudy-probe'] });
}

async function call(url: string, options: { authorization: string; body?: object; text?: string }): Promise<string> {
  const response = await request(url, {
    method: 'POST',
    headers: { authorization: options.authorization, 'content-type': 'application/json' },
    body: options.text ?? JSON.stringify(options.body),
  });
  const text = await response.body.text();
  if (response.statusCode >= 300) throw new Error(`seeding: ${url} answered ${response.statusCode}: ${text}`);
  return text;
}
