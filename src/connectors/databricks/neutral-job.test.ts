import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isRecord } from '#base';
import { formatExact, idOf, parseExact } from './json.ts';
import { heldSettings, markerOf, neutralJob } from './neutral-job.ts';
import { regionMap } from './region-map.ts';

const pairs = [
  { home: 'westeurope', partner: 'northeurope' },
  { home: 'westeurope-data', partner: 'ne-data' },
  { home: 'a.b', partner: 'c+d' },
];
const map = regionMap(pairs);

test('integers beyond a double stay exact, both ways', () => {
  const text = '{"job_id":9007199254740993,"small":12,"real":1.5,"list":[-9223372036854775808]}';
  const value = parseExact(text);
  assert.ok(isRecord(value));
  assert.equal(idOf(value['job_id']), '9007199254740993');
  assert.equal(value['small'], 12);
  assert.equal(formatExact(value), text);
  assert.throws(() => idOf('9007199254740993'), { code: 'DATABRICKS_WRONG_REPLY' });
  assert.throws(() => idOf(1e300), { code: 'DATABRICKS_WRONG_REPLY' });
});

test('region texts become tokens, the longest first, and special characters mean themselves', () => {
  assert.equal(map.toSite('partner', map.toNeutral('home', 'x westeurope-data westeurope')), 'x ne-data northeurope');
  assert.equal(map.toSite('partner', map.toNeutral('home', 'a.b aXb')), 'c+d aXb');
  assert.notEqual(map.toNeutral('partner', 'westeurope'), map.toNeutral('home', 'westeurope'));
});

test('any text comes back from neutral form as it was', () => {
  const texts = fc.oneof(fc.string(), fc.constantFrom(...pairs.flatMap((pair) => [pair.home, pair.partner])));
  fc.assert(
    fc.property(fc.array(texts), fc.constantFrom('home' as const, 'partner' as const), (parts, site) => {
      const text = parts.join('');
      assert.equal(map.toSite(site, map.toNeutral(site, text)), text);
    }),
  );
});

test('a job goes neutral and comes back with ids, texts and pause state of the other site', () => {
  const settings = {
    name: 'nightly westeurope',
    tags: { understudy_wanted: 'UNPAUSED', understudy_key: 'x', team: 'westeurope' },
    continuous: { pause_status: 'UNPAUSED' },
    edit_mode: 'UI_LOCKED',
    tasks: [
      { task_key: 'b', run_job_task: { job_id: 2n ** 60n + 1n }, depends_on: [{ task_key: 'z' }, { task_key: 'a' }] },
      { task_key: 'a', notebook_task: { notebook_path: '/westeurope/n' }, new_cluster: { policy_id: 'AB' } },
    ],
  };
  const names = { jobName: () => 'inner westeurope', policyName: () => 'small westeurope' };
  const { settings: neutral, obstacles } = neutralJob(settings, { site: 'home', map, names });
  assert.deepEqual(obstacles, []);
  const ids = { jobId: (name: string) => (name === 'inner westeurope' ? '77' : '0'), policyId: (name: string) => name };
  const there = heldSettings(neutral, { key: 'nightly westeurope', wanted: 'UNPAUSED', site: 'partner', map, ids });
  assert.deepEqual(there, {
    name: 'nightly westeurope',
    tags: { team: 'northeurope', understudy_key: 'nightly westeurope', understudy_wanted: 'UNPAUSED' },
    continuous: { pause_status: 'PAUSED' },
    tasks: [
      {
        task_key: 'a',
        notebook_task: { notebook_path: '/westeurope/n' },
        new_cluster: { policy_id: 'small westeurope' },
      },
      { task_key: 'b', run_job_task: { job_id: 77n }, depends_on: [{ task_key: 'a' }, { task_key: 'z' }] },
    ],
  });
});

test('what has no counterpart is an obstacle, unless the region map translates it', () => {
  const obstaclesOf = (settings: Record<string, unknown>, regions = map): readonly string[] =>
    neutralJob(settings, {
      site: 'home',
      map: regions,
      names: { jobName: () => undefined, policyName: () => undefined },
    }).obstacles;
  const warehouse = { tasks: [{ task_key: 'q', sql_task: { warehouse_id: 'w-home' } }] };
  assert.match(obstaclesOf(warehouse)[0] ?? '', /warehouse_id w-home/);
  assert.deepEqual(obstaclesOf(warehouse, regionMap([{ home: 'w-home', partner: 'w-partner' }])), []);
  assert.match(obstaclesOf({ tasks: [{ task_key: 'r', run_job_task: { job_id: 5 } }] })[0] ?? '', /runs job 5/);
  const tags = Object.fromEntries(Array.from({ length: 24 }, (_, index) => [`t${index}`, '']));
  assert.match(obstaclesOf({ tags })[0] ?? '', /no room/);
});

test('a key too long for a tag is marked by its digest', () => {
  assert.equal(markerOf('nightly'), 'nightly');
  assert.match(markerOf('n'.repeat(300)), /^sha256:[0-9a-f]{64}$/);
});
