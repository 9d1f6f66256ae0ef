// Bad input: each mistake with its status, code and message, and never a call to an upstream.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { chat, clientKey, envelopeOf, startFixture, until } from './testing/fixture.ts';

interface Row {
  readonly name: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code: string;
  readonly message: RegExp;
  /** Refusals of a known client are exchanges; the others are only counted. */
  readonly journaled: boolean;
}

const known = { journaled: true };
const rows: Row[] = [
  {
    name: 'malformed JSON',
    body: '{"model":"assistant",\n "messages": nope}',
    status: 400,
    code: 'invalid_json',
    message: /line 2, column 14/,
    ...known,
  },
  { name: 'an empty body', body: '', status: 400, code: 'invalid_json', message: /empty/, ...known },
  { name: 'an array', body: '[]', status: 400, code: 'invalid_request_body', message: /object/, ...known },
  {
    name: 'no model',
    body: { messages: [{}] },
    status: 400,
    code: 'missing_required_parameter',
    message: /"model"/,
    ...known,
  },
  {
    name: 'a model that is no string',
    body: chat({ model: 7 }),
    status: 400,
    code: 'invalid_type',
    message: /string/,
    ...known,
  },
  {
    name: 'no messages',
    body: { model: 'assistant' },
    status: 400,
    code: 'missing_required_parameter',
    message: /"messages"/,
    ...known,
  },
  {
    name: 'empty messages',
    body: chat({ messages: [] }),
    status: 400,
    code: 'invalid_type',
    message: /at least one/,
    ...known,
  },
  {
    name: 'stream that is no boolean',
    body: chat({ stream: 'yes' }),
    status: 400,
    code: 'invalid_type',
    message: /"stream"/,
    ...known,
  },
  {
    name: 'an unknown model',
    body: chat({ model: 'gpt-9' }),
    status: 404,
    code: 'model_not_found',
    message: /"gpt-9"/,
    ...known,
  },
  {
    name: 'a body over the limit',
    body: 'x'.repeat(1_000_001),
    status: 413,
    code: 'request_too_large',
    message: /1000000 bytes/,
    ...known,
  },
  {
    name: 'a wrong content type',
    body: chat(),
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: 'unsupported_media_type',
    message: /text\/plain/,
    ...known,
  },
  {
    name: 'a compressed body',
    body: chat(),
    headers: { 'content-encoding': 'gzip' },
    status: 415,
    code: 'unsupported_media_type',
    message: /gzip/,
    ...known,
  },
  {
    name: 'a route of others',
    body: chat(),
    headers: { authorization: 'Bearer sk-nothing' },
    status: 403,
    code: 'route_not_allowed',
    message: /nothing.*main/,
    ...known,
  },
  {
    name: 'a wrong key',
    body: chat(),
    headers: { authorization: 'Bearer sk-wrong' },
    status: 401,
    code: 'invalid_api_key',
    message: /not known/,
    journaled: false,
  },
  {
    name: 'no key',
    body: chat(),
    headers: { authorization: '' },
    status: 401,
    code: 'invalid_api_key',
    message: /Authorization/,
    journaled: false,
  },
];

test('bad requests', async (t) => {
  await using fixture = await startFixture();
  for (const row of rows) {
    await t.test(row.name, async () => {
      const before = fixture.journal.of('close').length;
      const answer = await fixture.ask(row.body, row.headers ? { headers: row.headers } : {});
      const error = await envelopeOf(answer);
      assert.equal(answer.status, row.status);
      assert.equal(error.code, row.code);
      assert.match(error.message, row.message);
      const closes = fixture.journal.of('close').slice(before);
      assert.equal(closes.length, row.journaled ? 1 : 0);
      if (row.journaled)
        assert.deepEqual([closes[0]?.meta['outcome'], closes[0]?.meta['status']], ['refused', row.status]);
    });
  }
  assert.equal(fixture.first.calls.length, 0);
  assert.equal(fixture.journal.of('open').length, fixture.journal.of('close').length);
  assert.equal(fixture.gateway.state().turnedAway['unauthenticated'], 2);
});

test('unknown paths and wrong methods', async () => {
  await using fixture = await startFixture();
  const missing = await fetch(`${fixture.url}/v1/embeddings?x=1`, { method: 'POST' });
  assert.deepEqual([missing.status, (await envelopeOf(missing)).code], [404, 'unknown_url']);
  const wrong = await fetch(`${fixture.url}/v1/chat/completions`);
  assert.deepEqual(
    [wrong.status, wrong.headers.get('allow'), (await envelopeOf(wrong)).code],
    [405, 'POST', 'method_not_allowed'],
  );
});

test('a chunked body over the limit is refused while it is still being sent', async () => {
  await using fixture = await startFixture();
  const socket = connect(Number(new URL(fixture.url).port), '127.0.0.1');
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n` +
      'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  for (let part = 0; part < 20; part++) socket.write(`186a0\r\n${'x'.repeat(100_000)}\r\n`);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  await until(() => text.includes('request_too_large'));
  assert.match(text, /^HTTP\/1\.1 413 /);
  socket.destroy();
});

test('what is not HTTP gets the envelope too', async () => {
  await using fixture = await startFixture();
  const socket = connect(Number(new URL(fixture.url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  socket.write('NONSENSE\r\n\r\n');
  await until(() => text.includes('not valid HTTP'));
  assert.match(text, /^HTTP\/1\.1 400 [\s\S]*\{"error":\{/);
  socket.destroy();
});

test('the list of models is what the client may use', async () => {
  await using fixture = await startFixture({ route: { models: ['assistant', 'org/large'] } });
  const get = (path: string, key = clientKey): Promise<Response> =>
    fetch(`${fixture.url}${path}`, { headers: { authorization: `Bearer ${key}` } });
  const list = (await (await get('/v1/models')).json()) as { data: { id: string }[] };
  assert.deepEqual(
    list.data.map((model) => model.id),
    ['assistant', 'org/large'],
  );
  assert.deepEqual(await (await get('/v1/models', 'sk-nothing')).json(), { object: 'list', data: [] });
  assert.equal((await get('/v1/models/org%2Flarge')).status, 200);
  assert.equal((await envelopeOf(await get('/v1/models/other'))).code, 'model_not_found');
  assert.equal((await get('/v1/models', 'sk-wrong')).status, 401);
});

test('traceparent, session, user and request headers are kept; credentials, cookies and queries are not', async () => {
  await using fixture = await startFixture();
  const traceId = 'ab'.repeat(16);
  const headers = {
    traceparent: `00-${traceId}-${'cd'.repeat(8)}-01`,
    'x-session-id': 'session-1',
    'x-client-request-id': 'mine-1',
    cookie: 'secret=cookie',
    'x-api-key': 'sk-other',
  };
  const answer = await fixture.ask(chat({ user: 'user-1' }), { headers });
  assert.equal(answer.headers.get('x-understudy-trace'), traceId);
  const open = fixture.journal.of('open')[0]?.meta;
  assert.equal(open?.['traceId'], traceId);
  assert.equal(open?.['parentSpanId'], 'cd'.repeat(8));
  assert.deepEqual([open?.['sessionId'], open?.['userId']], ['session-1', 'user-1']);
  const kept = open?.['headers'] as Record<string, string>;
  assert.deepEqual(Object.keys(kept).sort(), ['content-type', 'user-agent', 'x-client-request-id']);
  const sent = fixture.first.calls[0]?.headers;
  assert.match(sent?.['traceparent'] as string, new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  assert.deepEqual([sent?.['cookie'], sent?.['x-api-key']], [undefined, undefined]);
});

test('a traceparent that is not one starts a new trace', async () => {
  await using fixture = await startFixture();
  for (const traceparent of [
    'nonsense',
    `00-${'0'.repeat(32)}-${'cd'.repeat(8)}-01`,
    `ff-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
  ]) {
    const answer = await fixture.ask(chat(), { headers: { traceparent } });
    assert.match(answer.headers.get('x-understudy-trace') ?? '', /^(?!0{32}|(?:ab){16})[0-9a-f]{32}$/);
  }
});
