import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure, ManualClock } from '#base';
import type { ActContext } from '#connectors';
import { openSqliteLedger, type Ledger } from '#ledger';
import { recallInventory } from './known.ts';
import { createReplicator, type Replicator, type ReplicatorOptions } from './replicator.ts';
import { fakeConnector, type FakeConnector } from './testing/fake-connector.ts';

const signal = new AbortController().signal;
const epoch = { generation: 1, number: 1 };

let folder = '';
let clock: ManualClock;
let ledger: Ledger;
let jobs: FakeConnector;
let secrets: FakeConnector;
let replicator: Replicator;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-replication-'));
  clock = new ManualClock();
  ledger = await openSqliteLedger({ file: join(folder, 'ledger.sqlite'), clock });
  jobs = fakeConnector({ dependency: 'databricks', clock });
  secrets = fakeConnector({ dependency: 'vault', dataSet: 'secrets', kinds: ['secret'], clock });
  jobs.put('home', { kind: 'job', key: 'nightly', content: 'v1' });
  jobs.put('home', { kind: 'policy', key: 'small', content: 'v1' });
  jobs.put('partner', { kind: 'job', key: 'left-over', content: 'v1' });
  secrets.put('home', { kind: 'secret', key: 'model-key', content: 'hmac' });
  replicator = replicatorWith({});
});
afterEach(async () => {
  await ledger.close();
  await rm(folder, { recursive: true, force: true });
});

function replicatorWith(options: Partial<ReplicatorOptions>): Replicator {
  return createReplicator({
    connectors: [jobs, secrets],
    deletions: { databricks: 'propagate' },
    clock,
    ledger,
    ...options,
  });
}

function act(name: string): ActContext {
  return { signal, epoch, act: name, assertMayAct: () => undefined };
}

test('a sync writes the difference in order and leaves none; a second one writes nothing', async () => {
  const report = await replicator.sync('home', act);
  assert.deepEqual(jobs.applied, ['create policy small', 'create job nightly', 'delete job left-over']);
  assert.deepEqual(secrets.applied, ['create secret model-key']);
  assert.deepEqual(
    report.before.map((entry) => entry.drift.length),
    [3, 1],
  );
  assert.deepEqual(
    report.after.map((entry) => [entry.method, entry.drift.length, entry.artifacts]),
    [
      ['live', 0, 2],
      ['live', 0, 1],
    ],
  );
  const again = await replicator.sync('home', act);
  assert.deepEqual(again.applied, []);
  assert.equal(jobs.applied.length, 3);
  assert.deepEqual([...jobs.at.partner.artifacts], [...jobs.at.home.artifacts].toReversed());
});

test('each write is named for itself, so that a repeated one carries the same token', async () => {
  const names: string[] = [];
  await replicator.sync('home', (name) => {
    names.push(name);
    return act(name);
  });
  const writes = names.filter((name) => !name.startsWith('list/'));
  assert.deepEqual(writes, [
    'create/databricks/policy/small',
    'create/databricks/job/nightly',
    'delete/databricks/job/left-over',
    'create/vault/secret/model-key',
  ]);
});

test('what the vendor refuses is reported with its code, and everything else is still brought up to date', async () => {
  jobs.refused.add('small');
  const report = await replicator.sync('home', act);
  const [refused, ...others] = report.applied;
  assert.deepEqual(refused?.error, { code: 'VENDOR_REFUSED', message: 'small is refused' });
  assert.ok(others.length === 3 && others.every((change) => change.error === undefined));
  assert.deepEqual(
    report.after.map((entry) => entry.drift.map((one) => one.key)),
    [['small'], []],
  );
});

test('a dependency whose standby is gone does not keep the next one from being brought up to date', async () => {
  jobs.at.partner.gone = true;
  const report = await replicator.sync('home', act);
  assert.deepEqual([report.after[0]?.method, report.after[0]?.error?.code], ['none', 'UNREACHABLE']);
  assert.deepEqual([report.after[1]?.method, report.after[1]?.drift.length], ['live', 0]);
  assert.deepEqual(jobs.applied, []);
});

test('with the leading site gone drift is judged against what the ledger remembers, and nothing is written', async () => {
  await replicator.sync('home', act);
  const provenAtMs = clock.wallMs();
  await clock.advance(60_000);
  jobs.at.home.gone = true;
  jobs.remove('partner', { kind: 'job', key: 'nightly' });
  const written = jobs.applied.length;
  // A new process knows only what is in the ledger.
  const [seen] = await replicatorWith({}).drift('home', { signal });
  assert.equal(seen?.method, 'last-known');
  assert.equal(seen?.error?.code, 'UNREACHABLE');
  assert.deepEqual([seen?.leadingListedAtMs, seen?.provenEqualAtMs], [provenAtMs, provenAtMs]);
  assert.deepEqual(
    seen?.drift.map((entry) => `${entry.key} ${entry.difference}`),
    ['nightly missing'],
  );
  const report = await replicator.sync('home', act);
  assert.deepEqual(
    report.applied.filter((change) => change.dependency === 'databricks'),
    [],
  );
  assert.equal(jobs.applied.length, written);
});

test('with the leading site gone and nothing remembered there is no verdict to give', async () => {
  jobs.at.home.gone = true;
  const [seen] = await replicator.drift('home', { signal });
  assert.deepEqual([seen?.method, seen?.provenEqualAtMs, seen?.error?.code], ['none', 0, 'UNREACHABLE']);
});

test('the proof of equality keeps its time while the standby differs, and moves on when it is equal again', async () => {
  await replicator.sync('home', act);
  const provenAtMs = clock.wallMs();
  await clock.advance(5_000);
  jobs.put('home', { kind: 'job', key: 'nightly', content: 'v2' });
  const [behind] = await replicator.drift('home', { signal });
  assert.deepEqual([behind?.drift.length, behind?.provenEqualAtMs], [1, provenAtMs]);
  const report = await replicator.sync('home', act);
  assert.equal(report.after[0]?.provenEqualAtMs, provenAtMs + 5_000);
});

test('what the ledger keeps of an inventory is digests, never views', async () => {
  jobs.at.home.artifacts.set('job seen', {
    kind: 'job',
    key: 'seen',
    digest: 'd',
    class: 'carried',
    view: { schedule: 'nightly' },
  });
  await replicator.drift('home', { signal });
  const known = await recallInventory(ledger, 'databricks', 'home');
  assert.equal(known?.artifacts.length, 3);
  assert.ok(known?.artifacts.every((artifact) => artifact.view === undefined));
});

test('a sync that loses the right to act stops at that write', async () => {
  let left = 1;
  const fencing = (name: string): ActContext => ({
    ...act(name),
    assertMayAct() {
      if (left-- === 0) throw new Failure('ACT_FENCED', 'a newer epoch is in force');
    },
  });
  await assert.rejects(replicator.sync('home', fencing), { code: 'ACT_FENCED' });
  assert.deepEqual(jobs.applied, ['create policy small']);
  assert.deepEqual(secrets.applied, []);
});

test('gates compare at the same time: comparisons that overlap do not spoil each other', async () => {
  const all = await Promise.all([1, 2, 3].map(() => replicator.drift('home', { signal })));
  assert.ok(all.flat().every((entry) => entry.method === 'live' && entry.error === undefined));
});

test('without a ledger it compares and remembers nothing', async () => {
  const { ledger: _ledger, ...options } = { connectors: [jobs], deletions: {}, clock, ledger };
  const bare = createReplicator(options);
  assert.deepEqual(
    (await bare.drift('home', { signal })).map((entry) => [entry.method, entry.drift.length]),
    [['live', 3]],
  );
  assert.equal(await recallInventory(ledger, 'databricks', 'home'), undefined);
});
