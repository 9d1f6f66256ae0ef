// Every way a model endpoint can be out of reach is told apart, with its mend, and the credential is never shown.

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { createServer as createSocketServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Failure, ManualClock, systemClock, type Clock } from '#base';
import { upstreamWith, type Upstream } from './testing.ts';
import { createModel, type ModelConnector } from './connector.ts';

const secret = 'sk-very-secret-credential-1234567890';
const context = { signal: new AbortController().signal };

function connectorFor(upstream: Upstream, options: { clock?: Clock; value?: string } = {}): ModelConnector {
  return createModel({
    dependency: { id: 'models', kind: 'model', after: [], deletions: 'report', upstreams: [upstream.id] },
    upstreams: [upstream],
    secrets: {
      read: () =>
        options.value === '' ? Promise.reject(new Failure('SECRET_UNREADABLE', 'no')) : Promise.resolve(secret),
    },
    clock: options.clock ?? systemClock,
  });
}

async function endpoint(t: TestContext, answer: (server: Server) => void): Promise<string> {
  const server = createServer();
  answer(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

function replying(status: number, body: string, contentType = 'application/json'): (server: Server) => void {
  return (server) =>
    server.on('request', (_request, response) => {
      response.writeHead(status, { 'content-type': contentType });
      response.end(body);
    });
}

const models = JSON.stringify({ object: 'list', data: [{ id: 'gpt-4o' }] });
const quota = JSON.stringify({ error: { type: 'insufficient_quota', message: `key ${secret}` } });

const answers: [name: string, server: (server: Server) => void, verdict: string, detail: RegExp][] = [
  ['a list with the model', replying(200, models), 'pass', /answers; 1 models offered/],
  ['a list without it', replying(200, '{"data":[{"id":"other"}]}'), 'fail', /model gpt-4o is not among the 1 offered/],
  ['no list', replying(200, '{"status":"ok"}'), 'fail', /not a list of models/],
  ['half a list', replying(200, '{"data":[{"id":"gp'), 'fail', /not a list of models/],
  [
    'a wrong key',
    replying(401, `{"error":{"message":"wrong key ${secret}"}}`),
    'fail',
    /credential is refused \(status 401\)/,
  ],
  ['a wrong path', replying(404, '{}'), 'fail', /no \/models under this url/],
  ['a rate limit', replying(429, '{"error":{"type":"requests"}}'), 'inconclusive', /rate limited/],
  ['no quota', replying(429, quota), 'fail', /quota/],
  ['a provider failure', replying(503, '{}'), 'fail', /status 503/],
  ['a redirect', replying(302, ''), 'fail', /unexpected status 302/],
  ['a page of a proxy', replying(200, '<html>Sign in</html>', 'text/html; charset=utf-8'), 'fail', /HTML page/],
  [
    'a broken connection',
    (server) => server.on('request', (request) => request.socket.destroy()),
    'fail',
    /broke the connection/,
  ],
];

for (const [name, server, verdict, detail] of answers) {
  test(`${name} is ${verdict}`, async (t) => {
    const upstream = upstreamWith({ url: await endpoint(t, server) });
    const finding = await connectorFor(upstream).reach('first', context);
    assert.equal(finding.verdict, verdict);
    assert.match(finding.detail, detail);
    assert.equal(finding.mend === undefined, verdict === 'pass');
    assert.ok(!JSON.stringify(finding).includes(secret));
  });
}

test('the credential is sent as a bearer token, and a trailing slash in the url does no harm', async (t) => {
  let seen: unknown;
  const url = await endpoint(t, (server) =>
    server.on('request', (request, response) => {
      seen = [request.url, request.headers.authorization];
      response.end(models);
    }),
  );
  const finding = await connectorFor(upstreamWith({ url: `${url}/` })).reach('first', context);
  assert.equal(finding.verdict, 'pass');
  assert.ok((finding.latencyMs ?? -1) >= 0);
  assert.deepEqual(seen, ['/v1/models', `Bearer ${secret}`]);
});

test('a refused connection and an unknown name are told apart', async () => {
  const closed = createSocketServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const refused = await connectorFor(upstreamWith({ url: `http://127.0.0.1:${port}/v1` })).reach('first', context);
  assert.match(refused.detail, /refuses connections/);
  const unknown = await connectorFor(upstreamWith({ url: 'http://nowhere.invalid/v1' })).reach('first', context);
  assert.match(unknown.detail, /does not resolve here/);
  assert.deepEqual([refused.verdict, unknown.verdict], ['fail', 'fail']);
});

test('TLS that fails is named as such', async (t) => {
  const url = await endpoint(t, replying(200, models));
  const finding = await connectorFor(upstreamWith({ url: url.replace('http:', 'https:') })).reach('first', context);
  assert.match(finding.detail, /TLS with .* fails/);
});

test('an endpoint that accepts and never answers is given up at the deadline', async (t) => {
  const clock = new ManualClock();
  let asked = (): void => {};
  const arrived = new Promise<void>((resolve) => (asked = resolve));
  const url = await endpoint(t, (server) => server.on('request', () => asked()));
  const upstream = upstreamWith({ url, timeouts: { connect: '2s', firstByte: '3s', idle: '30s' } });
  const reaching = connectorFor(upstream, { clock }).reach('first', context);
  await arrived;
  await clock.advance(5_000);
  const finding = await reaching;
  assert.deepEqual([finding.verdict, finding.detail.includes('within 5000 ms')], ['fail', true]);
});

test('a look that is stopped is an error, not a verdict on the endpoint', async (t) => {
  const stop = new AbortController();
  const url = await endpoint(t, (server) => server.on('request', () => stop.abort()));
  const finding = await connectorFor(upstreamWith({ url })).reach('first', { signal: stop.signal });
  assert.equal(finding.verdict, 'error');
});

test('an unreadable credential fails by its reference, and an unknown upstream is refused', async () => {
  const connector = connectorFor(upstreamWith({ url: 'http://127.0.0.1:9/v1' }), { value: '' });
  const [finding] = await connector.probe('partner', context);
  assert.equal(finding?.verdict, 'fail');
  assert.match(finding.detail, /env:MODEL_KEY cannot be read here \(SECRET_UNREADABLE\)/);
  await assert.rejects(connector.reach('second', context), { code: 'UPSTREAM_UNKNOWN' });
});
