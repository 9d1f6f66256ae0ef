import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure, ManualClock } from '#base';
import type { JobRun, Schedule } from '#connectors';
import { LeaseGrantor, openSqliteLedger, type Ledger } from '#ledger';
import { compilePlan, planHash } from '#runbook';
import { RunLog, standingOrdersKey, type World } from '#run';
import { followOrders, type OrderSources } from './standing-orders.ts';
import { exampleStamp, keysOf, newKeyPair } from './testing/people.ts';

const stamp = exampleStamp();
const keys = keysOf(stamp);
const sealKey = newKeyPair().privateKey;
const signal = new AbortController().signal;

let folder = '';
let ledger: Ledger;
let grantor: LeaseGrantor;
let world: World;
let log: RunLog;
let sources: OrderSources;
let gone: boolean;
let driftLeft: number;
let schedules: Schedule[];
let codes: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-orders-'));
  const clock = new ManualClock();
  ledger = await openSqliteLedger({ file: join(folder, 'ledger.sqlite'), clock });
  grantor = new LeaseGrantor({ ledger, clock, ttlMs: 3_000 });
  await grantor.open();
  log = await RunLog.open(ledger, opening());
  const roles = { home: 'fenced', partner: 'standby' } as const;
  const epoch = { generation: 1, number: 2 };
  await log.appendBy([{ type: 'authority-moved', body: { epoch, roles, why: 'fence' } }], (append) =>
    grantor.move({ expected: { generation: 1, number: 1 }, roles, by: log.run }, append),
  );
  await log.append([{ type: 'run-sealed', body: { file: 'f', head: 'h' } }]);
  const accepted = [{ job: 'nightly', reason: 'writes by merge', by: 'stamp' }];
  await ledger.put(standingOrdersKey, { run: log.run, site: 'home', epoch, fencedAtMs: 5, accepted }, 0);
  gone = false;
  driftLeft = 0;
  codes = [];
  schedules = ['nightly', 'features'].map((job) => ({
    job,
    jobId: job,
    form: 'schedule',
    paused: false,
    wantedPaused: false,
    after: [],
  }));
  world = fakeWorld();
  const secrets = {
    read: async (reference: string) =>
      reference === stamp.control.evidence.sealKey ? sealKey : keys.secrets.read(reference),
  };
  sources = { stamp, directory: folder, secrets, signal, logOf: async () => log };
});
afterEach(async () => {
  await ledger.close();
  await rm(folder, { recursive: true, force: true });
});

function opening(): Parameters<typeof RunLog.open>[1] {
  const plan = compilePlan({ stamp, stampDigest: 'd', kind: 'failover', from: 'home', to: 'partner' });
  const epoch = { generation: 1, number: 1 };
  const said = { initiator: 'jonas', reason: 'home is gone', incidentAtMs: 1, epoch };
  return { type: 'run-opened', body: { run: 'run_1', plan, planHash: planHash(plan), ...said } };
}

function fakeWorld(): World {
  const fired = (job: string): JobRun => ({ job, runId: `r-${job}`, startedAtMs: 6, trigger: 'PERIODIC', state: 'OK' });
  const drift = (): object => ({ method: 'live', drift: Array.from({ length: driftLeft }) });
  return {
    ledger,
    authority: grantor,
    schedules: {
      async schedules() {
        if (gone) throw new Failure('UNREACHABLE', 'home does not answer');
        return schedules;
      },
      async hold(_site: string, job: string) {
        schedules = schedules.map((one) => (one.job === job ? { ...one, paused: true } : one));
      },
      runsSince: async (_site: string, sinceMs: number) => (sinceMs === 5 ? ['nightly', 'features'].map(fired) : []),
    },
    agents: { home: { tell: async () => ({ epoch: null, mayAct: false }) } },
    replicator: { sync: async () => ({ after: [drift()] }) },
    log: (line: { code: string }) => codes.push(line.code),
  } as unknown as World;
}

test('a fenced region that returns is held, counted, sealed as an addendum, and only then standby', async () => {
  assert.equal(await followOrders(world, sources), true);
  assert.ok(schedules.every((schedule) => schedule.paused));
  assert.equal(grantor.authority().roles.home, 'standby');
  const [addendum] = log.state.addenda;
  assert.equal(addendum?.what, 'return of home');
  const text = await readFile(addendum.file, 'utf8').catch(() => readFile(join(folder, addendum.file), 'utf8'));
  const fact = text.split('\n').find((line) => line.includes('"firings"')) ?? '';
  assert.match(fact, /"accepted":"writes by merge","job":"nightly"/);
  assert.match(fact, /"accepted":null,"job":"features"/);
  assert.match(fact, /"held":\["nightly","features"\]/);
});

test('followed again it does nothing more', async () => {
  await followOrders(world, sources);
  assert.equal(await followOrders(world, sources), true);
  assert.equal(log.state.addenda.length, 1);
});

test('while the region is gone it stays fenced, and the next round tries again', async () => {
  gone = true;
  assert.equal(await followOrders(world, sources), false);
  assert.deepEqual([codes, grantor.authority().roles.home], [['UNREACHABLE'], 'fenced']);
  gone = false;
  assert.equal(await followOrders(world, sources), true);
});

test('while reverse replication leaves drift it stays fenced, with its schedules held already', async () => {
  driftLeft = 1;
  assert.equal(await followOrders(world, sources), false);
  assert.equal(grantor.authority().roles.home, 'fenced');
  assert.ok(schedules.every((schedule) => schedule.paused));
  assert.deepEqual(log.state.addenda, []);
});

test('without orders, or with nothing fenced, there is nothing to do', async () => {
  await followOrders(world, sources);
  const cell = await ledger.get(standingOrdersKey);
  await ledger.put(standingOrdersKey, null, cell?.version ?? 0);
  assert.equal(await followOrders(world, sources), true);
});
