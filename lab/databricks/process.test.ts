import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const main = new URL('main.ts', import.meta.url).pathname;

async function startProcess(config: Record<string, unknown>): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [main, JSON.stringify(config)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const ready = JSON.parse(line) as { ready: boolean; url: string };
  assert.equal(ready.ready, true);
  return { child, url: ready.url };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('what a killed workspace had answered is there after its restart', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'databricks-process-'));
  context.after(() => rm(directory, { recursive: true }));
  const config = {
    name: 'databricks-home',
    port: 0,
    dataFile: join(directory, 'vendor.sqlite'),
    tokens: { dapi: 'owner@example.com' },
  };
  const headers = { authorization: 'Bearer dapi' };
  const first = await startProcess(config);
  const body = JSON.stringify({ name: 'kept' });
  const created = await fetch(`${first.url}/api/2.2/jobs/create`, { method: 'POST', headers, body });
  const answer = await created.text();
  await kill(first.child);

  const second = await startProcess(config);
  const listed = await (await fetch(`${second.url}/api/2.2/jobs/list`, { headers })).text();
  await kill(second.child);
  const jobId = /"job_id":(\d+)/.exec(answer)?.[1];
  assert.ok(jobId !== undefined && listed.includes(`"job_id":${jobId},`), listed);
});
