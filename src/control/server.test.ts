import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { Failure, ManualClock } from '#base';
import { LeaseGrantor, openSqliteLedger, type Ledger } from '#ledger';
import type { World } from '#run';
import type { Operations, StartRequest } from './operations.ts';
import { controlServer } from './server.ts';
import { exampleStamp, keysOf } from './testing/people.ts';
import { tokenSigner, tokenVerifier, type Principal } from './tokens.ts';

const stamp = exampleStamp();
const keys = keysOf(stamp);

let clock: ManualClock;
let ledger: Ledger;
let server: FastifyInstance;
let asked: string[];

beforeEach(async () => {
  clock = new ManualClock();
  ledger = await openSqliteLedger({ file: ':memory:', clock });
  const grantor = new LeaseGrantor({ ledger, clock, ttlMs: 3_000 });
  await grantor.open();
  asked = [];
  const operations = {
    runs: async () => [],
    start: async (request: StartRequest) => {
      asked.push(`start ${request.kind} by ${request.by}`);
      throw new Failure('RUN_OPEN', 'one run at a time', { hint: 'resume it' });
    },
    log: async (run: string) => {
      throw new Failure('RUN_UNKNOWN', `there is no run ${run}`);
    },
    drift: async () => {
      throw new TypeError('undefined is not a function');
    },
  };
  server = controlServer({
    operations: operations as unknown as Operations,
    world: { ledger, clock } as unknown as World,
    grantor,
    verifier: tokenVerifier({ stamp, secrets: keys.secrets, audience: 'control', clock }),
    recordCanary: async () => ({}),
  });
});
afterEach(async () => {
  await server.close();
  await ledger.close();
});

async function authorization(principal: Principal): Promise<string> {
  const reference = principal.kind === 'site' ? stamp.sites[principal.id].identity.publicKey : undefined;
  const privateKeyPem = reference === undefined ? keys.personKey(principal.id) : keys.privateKeyOf(reference);
  return tokenSigner(principal, { privateKeyPem, clock }).authorization('control');
}

interface Call {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly by?: Principal;
  readonly body?: unknown;
}

async function ask(call: Call): Promise<{ status: number; body: { error?: Record<string, unknown> }; text: string }> {
  const headers: Record<string, string> = call.by ? { authorization: await authorization(call.by) } : {};
  if (call.body !== undefined) headers['content-type'] = 'application/json';
  const payload = typeof call.body === 'string' ? call.body : JSON.stringify(call.body);
  const answer = await server.inject({
    method: call.method,
    url: call.url,
    headers,
    ...(call.body === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, body: answer.json(), text: answer.payload };
}

const jonas: Principal = { kind: 'person', id: 'jonas' };
const home: Principal = { kind: 'site', id: 'home' };
const start = { method: 'POST', url: '/api/runs', by: jonas } as const;
const lease = { method: 'POST', url: '/api/sites/home/lease' } as const;
const renewal = { epoch: null, telemetry: {} };

test('only the sign of life is open; every other call needs a token, and says so in our shape', async () => {
  assert.equal((await ask({ method: 'GET', url: '/livez' })).status, 200);
  const calls: Call[] = [
    { method: 'GET', url: '/api/status' },
    { method: 'GET', url: '/api/drift' },
    { method: 'GET', url: '/api/runs' },
    { method: 'GET', url: '/api/runs/run_1' },
    { method: 'POST', url: '/api/sync', body: {} },
    { method: 'POST', url: '/api/runs', body: { kind: 'drill', reason: 'weekly' } },
    { method: 'POST', url: '/api/runs/run_1/approvals', body: {} },
    { method: 'POST', url: '/api/runs/run_1/resume', body: {} },
    { method: 'POST', url: '/api/runs/run_1/abort', body: { reason: 'because' } },
    { ...lease, body: renewal },
  ];
  for (const call of calls) {
    const { status, body } = await ask(call);
    assert.equal(status, 401, call.url);
    assert.equal(body.error?.['code'], 'UNAUTHENTICATED');
    assert.deepEqual(Object.keys(body.error ?? {}).sort(), ['code', 'hint', 'message', 'next']);
  }
  assert.deepEqual(asked, []);
});

test('what is unknown, missing or of the wrong kind in a body is named, and nothing is done', async () => {
  const right = { kind: 'drill', reason: 'weekly' };
  for (const [body, named] of [
    [{ ...right, force: true }, /force/],
    [{ ...right, kind: 'party' }, /kind/],
    [{ kind: 'drill' }, /reason/],
    [{ ...right, accept: [{ job: 'nightly', reason: 'long enough', by: 'me' }] }, /by/],
    [{ ...right, incidentAtMs: -1 }, /incidentAtMs/],
    ['{"kind":', /JSON/],
  ] as const) {
    const answer = await ask({ ...start, body });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.error?.['code'], 'BAD_REQUEST');
    assert.match(String(answer.body.error?.['message']), named);
  }
  assert.deepEqual(asked, []);
});

test('a right call reaches the operation in the name of whoever signed the token', async () => {
  const answer = await ask({ ...start, body: { kind: 'drill', reason: 'weekly' } });
  assert.deepEqual(asked, ['start drill by jonas']);
  assert.equal(answer.status, 409);
  assert.deepEqual(answer.body.error, {
    code: 'RUN_OPEN',
    message: 'one run at a time',
    next: 'stop',
    hint: 'resume it',
  });
});

test('a run or a path that does not exist is 404 in our shape', async () => {
  const run = await ask({ method: 'GET', url: '/api/runs/run_9', by: jonas });
  assert.deepEqual([run.status, run.body.error?.['code']], [404, 'RUN_UNKNOWN']);
  const path = await ask({ method: 'GET', url: '/api/nothing', by: jonas });
  assert.deepEqual([path.status, path.body.error?.['code']], [404, 'NOT_FOUND']);
});

test('a bug answers 500 without its stack', async () => {
  const answer = await ask({ method: 'GET', url: '/api/drift', by: jonas });
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /\.ts|at /);
});

test('a site renews its own lease and leaves its report; nobody else can', async () => {
  const granted = await ask({ ...lease, by: home, body: { epoch: null, telemetry: { partner: { mode: 'live' } } } });
  assert.equal(granted.status, 200);
  assert.match(granted.text, /"grant":\{"ttlMs":3000\}/);
  const kept = (await ledger.get('heartbeat/home'))?.value as { atMs: number; telemetry: unknown };
  assert.deepEqual(kept, { atMs: clock.wallMs(), telemetry: { partner: { mode: 'live' } } });
  for (const by of [jonas, { kind: 'site', id: 'partner' } as const]) {
    const answer = await ask({ ...lease, by, body: renewal });
    assert.deepEqual([answer.status, answer.body.error?.['code']], [403, 'FORBIDDEN']);
  }
  const run = await ask({ ...start, by: home, body: { kind: 'drill', reason: 'weekly' } });
  assert.equal(run.status, 403, 'a site starts no runs');
});
