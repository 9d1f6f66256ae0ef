import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { ManualClock } from '#base';
import type { Schedule, ScheduleControl } from '#connectors';
import { createSiteAgent, type RunningSiteAgent } from './site-agent.ts';
import { exampleStamp, keysOf } from './testing/people.ts';
import { tokenSigner, tokenVerifier, type Principal } from './tokens.ts';

const stamp = exampleStamp();
const keys = keysOf(stamp);
const leaseTtlMs = 4_000;
const epoch1 = { generation: 1, number: 1 };
const epoch2 = { generation: 1, number: 2 };
const active = { epoch: epoch1, role: 'active', grant: { ttlMs: leaseTtlMs } };

let clock: ManualClock;
let controller: Server;
let site: Server;
let agent: RunningSiteAgent;
let renewals: number;
/** What the controller answers to a renewal; undefined: it is out of order. */
let reply: object | undefined;
let schedules: Map<string, Schedule>;
let changes: string[];

beforeEach(async () => {
  clock = new ManualClock();
  renewals = 0;
  reply = active;
  changes = [];
  schedules = new Map(['nightly', 'features', 'retired'].map((job) => [job, schedule(job)]));
  controller = createServer((_incoming, response) => {
    response.writeHead(reply ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify(reply ?? {}), () => renewals++);
  });
  const controlUrl = await listen(controller);
  agent = createSiteAgent({
    site: 'home',
    clock,
    leaseTtlMs,
    controlUrl,
    signer: signerOf({ kind: 'site', id: 'home' }),
    verifier: tokenVerifier({ stamp, secrets: keys.secrets, audience: 'site:home', clock }),
    schedules: scheduleControl(),
    observe: () => ({ telemetry: {}, breakers: {}, routes: 'routes-1' }),
    probe: async (what) => [{ verdict: 'pass', subject: what, detail: 'reached' }],
    flush: async () => undefined,
    log: () => undefined,
  });
  site = createServer((incoming, response) => void agent.handle(incoming, response));
});
afterEach(async () => {
  await agent.stop();
  for (const server of [controller, site]) {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
});

function schedule(job: string): Schedule {
  const paused = job === 'retired';
  return { job, jobId: job, form: 'schedule', paused, wantedPaused: paused, after: [] };
}

function scheduleControl(): ScheduleControl {
  const set = (job: string, paused: boolean): void => {
    changes.push(`${paused ? 'hold' : 'release'} ${job}`);
    schedules.set(job, { ...schedule(job), paused });
  };
  return {
    schedules: async () => [...schedules.values()],
    hold: async (_site, job) => set(job, true),
    async release(_site, job, context) {
      context.assertMayAct(100);
      set(job, false);
    },
    runsSince: async () => [],
    smoke: async () => ({ verdict: 'pass', subject: 'smoke', detail: '' }),
  };
}

function signerOf(principal: Principal): ReturnType<typeof tokenSigner> {
  const privateKeyPem =
    principal.kind === 'person'
      ? keys.personKey(principal.id)
      : keys.privateKeyOf((principal.kind === 'site' ? stamp.sites[principal.id] : stamp.control).identity.publicKey);
  return tokenSigner(principal, { privateKeyPem, clock });
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail(`it never came to this: ${what}`);
}

/** Moves time on in quarters of the lease, each with its renewal answered. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += leaseTtlMs / 4) {
    const before = renewals;
    await clock.advance(leaseTtlMs / 4);
    await until(() => renewals > before, 'a renewal');
    await clock.advance(0);
  }
}

async function begin(): Promise<void> {
  agent.start();
  await until(() => agent.view.mayAct(0), 'the first lease');
}

test('with its lease renewed a site leaves its schedules alone', async () => {
  await begin();
  await pass(20_000);
  assert.equal(agent.view.mayAct(0), true);
  assert.deepEqual(changes, []);
});

test('told that it is fenced it loses the right to act and holds its schedules at once', async () => {
  await begin();
  reply = { epoch: epoch2, role: 'fenced' };
  await pass(1_000);
  await until(() => agent.view.role() === 'fenced', 'fenced');
  assert.equal(agent.view.mayAct(0), false);
  await pass(1_000);
  assert.deepEqual(changes, ['hold nightly', 'hold features']);
  await pass(10_000);
  assert.equal(changes.length, 2, 'held once');
});

test('a lapse of less than a ttl changes nothing; after a whole ttl the schedules are held', async () => {
  await begin();
  reply = undefined;
  await pass(leaseTtlMs);
  assert.equal(agent.view.mayAct(0), false);
  await pass(leaseTtlMs - 1_000);
  assert.deepEqual(changes, []);
  await pass(3_000);
  assert.deepEqual(changes, ['hold nightly', 'hold features']);
});

test('with the same epoch’s lease back it releases what it held itself, and never what its owner paused', async () => {
  await begin();
  reply = undefined;
  await pass(3 * leaseTtlMs);
  assert.equal(changes.length, 2);
  reply = active;
  await pass(2_000);
  assert.deepEqual(changes.slice(2), ['release nightly', 'release features']);
  assert.equal(schedules.get('retired')?.paused, true);
  await pass(5_000);
  assert.equal(changes.length, 4, 'released once');
});

test('fenced while it was cut off, it releases nothing', async () => {
  await begin();
  reply = undefined;
  await pass(3 * leaseTtlMs);
  reply = { epoch: epoch2, role: 'fenced' };
  await pass(8_000);
  assert.deepEqual(changes, ['hold nightly', 'hold features']);
});

test('the controller’s word takes the lease at once, and an older word does not give it back', async () => {
  await begin();
  const url = await listen(site);
  const authorization = await signerOf({ kind: 'control', id: 'control' }).authorization('site:home');
  const tell = async (body: object): Promise<unknown> =>
    (
      await fetch(`${url}/understudy/authority`, {
        method: 'POST',
        headers: { authorization },
        body: JSON.stringify(body),
      })
    ).json();
  const fenced = { epoch: epoch2, roles: { home: 'fenced', partner: 'standby' }, by: 'run_1' };
  assert.deepEqual(await tell(fenced), { epoch: epoch2, mayAct: false });
  const older = { epoch: epoch1, roles: { home: 'active', partner: 'standby' }, by: 'founding' };
  assert.deepEqual(await tell(older), { epoch: epoch2, mayAct: false });
  assert.equal(agent.view.role(), 'fenced');
});

test('only the controller may ask, with a token for this very site, and every refusal has our shape', async () => {
  const url = await listen(site);
  const control = signerOf({ kind: 'control', id: 'control' });
  const ask = async (path: string, authorization: string, body?: string): Promise<[number, unknown]> => {
    const answer = await fetch(`${url}/understudy/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization },
      ...(body === undefined ? {} : { body }),
    });
    const { error } = (await answer.json()) as { error?: { code: string } };
    return [answer.status, error?.code];
  };
  const right = await control.authorization('site:home');
  assert.deepEqual(await ask('state', right), [200, undefined]);
  assert.deepEqual(await ask('state', 'Bearer x'), [401, 'UNAUTHENTICATED']);
  assert.deepEqual(await ask('state', await control.authorization('site:partner')), [401, 'UNAUTHENTICATED']);
  const person = await signerOf({ kind: 'person', id: 'jonas' }).authorization('site:home');
  assert.deepEqual(await ask('state', person), [403, 'FORBIDDEN']);
  assert.deepEqual(await ask('nothing', right), [404, 'NOT_FOUND']);
  assert.deepEqual(await ask('probe', right, '{"what":"everything"}'), [400, 'BAD_REQUEST']);
  assert.deepEqual(await ask('probe', right, '{"what":'), [400, 'BAD_REQUEST']);
  assert.deepEqual(await ask('probe', right, JSON.stringify({ what: 'x'.repeat(70_000) })), [400, 'BAD_REQUEST']);
});
