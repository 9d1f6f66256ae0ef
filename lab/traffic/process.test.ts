// The processes of the model and of the traffic: they start from one JSON argument, answer commands, and end.

import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { labKey } from '../model/testing.ts';
import { forkTraffic, type TrafficRow } from './mod.ts';

const modelMain = fileURLToPath(new URL('../model/main.ts', import.meta.url));

test('traffic in a process of its own writes every row and answers with its summary', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-traffic-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const config = {
    name: 'model-home',
    port: 0,
    dataFile: join(directory, 'model.db'),
    apiKeys: { [labKey]: 'traffic' },
    models: ['gpt-4o'],
    region: 'swedencentral',
  };
  const model = fork(modelMain, [JSON.stringify(config)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  assert.ok(model.stdout);
  const [line] = (await once(model.stdout, 'data')) as [Buffer];
  const { url } = JSON.parse(line.toString('utf8')) as { url: string };

  const rowsFile = join(directory, 'rows.jsonl');
  const traffic = await forkTraffic({ baseUrl: `${url}/v1`, apiKey: labKey, model: 'gpt-4o', rowsFile, loops: 3 });
  while ((await traffic.summary()).answered < 10);
  const summary = await traffic.stop();
  model.disconnect();
  const [code] = (await once(model, 'exit')) as [number];

  const rows = (await readFile(rowsFile, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((row) => JSON.parse(row) as TrafficRow);
  assert.equal(rows.length, summary.sent);
  assert.equal(rows.filter((row) => row.outcome.kind === 'answered').length, summary.answered);
  assert.equal(code, 0);
});

test('a wrong configuration ends with code 2 and says what is wrong', async () => {
  const child = spawn(process.execPath, [modelMain, '{"name":"m","prot":1}'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 2);
  assert.match(errors, /prot/);
});
