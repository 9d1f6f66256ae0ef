// Provider faults before any content has reached the client: who is asked again, who is asked next, what is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExchangeAttempt } from '#journal';
import {
  chat,
  envelopeOf,
  messageRung,
  modelRungs,
  startFixture,
  until,
  upstreamSecret,
  type Fixture,
} from './testing/fixture.ts';
import {
  blackHole,
  chunkEvent,
  complete,
  cut,
  doneEvent,
  errorBody,
  events,
  eventsThen,
  finishEvent,
  reset,
  roleEvent,
  status,
  type Reply,
} from './testing/scripted-upstream.ts';

const fast = { connect: '200ms', firstByte: '100ms', idle: '100ms' };

/** Faults after which another rung answers; `calls` is how often the failing upstream is asked before. */
const climbing: { name: string; reply: Reply; calls: number; error: string; stream?: boolean }[] = [
  { name: 'HTTP 500', reply: status(500, errorBody({ type: 'server_error' })), calls: 2, error: 'server_error' },
  {
    name: 'HTTP 503 in HTML',
    reply: status(503, '<html>busy</html>', { 'content-type': 'text/html' }),
    calls: 2,
    error: 'http_503',
  },
  {
    name: 'HTTP 529',
    reply: status(529, errorBody({ type: 'overloaded_error' })),
    calls: 2,
    error: 'overloaded_error',
  },
  { name: 'a reset connection', reply: reset, calls: 2, error: 'upstream_connection_lost' },
  { name: 'no first byte in time', reply: blackHole, calls: 1, error: 'upstream_timeout' },
  { name: 'an empty 200', reply: status(200, ''), calls: 2, error: 'upstream_empty_answer' },
  {
    name: 'a 200 without choices',
    reply: status(200, { id: 'x', choices: [] }),
    calls: 2,
    error: 'upstream_empty_answer',
  },
  {
    name: 'a 200 with an error body',
    reply: status(200, errorBody({ code: 502 })),
    calls: 2,
    error: 'invalid_request_error',
  },
  { name: 'a 200 that is not JSON', reply: status(200, 'hello'), calls: 1, error: 'upstream_malformed' },
  { name: 'a redirect', reply: status(302, '', { location: 'http://127.0.0.1:1/' }), calls: 1, error: 'http_302' },
  {
    name: 'insufficient_quota',
    reply: status(429, errorBody({ type: 'insufficient_quota', code: 'insufficient_quota' })),
    calls: 1,
    error: 'insufficient_quota',
  },
  {
    name: 'a wait above the bound',
    reply: status(429, errorBody({ code: 'rate_limit_exceeded' }), { 'retry-after': '7' }),
    calls: 1,
    error: 'rate_limit_exceeded',
  },
  {
    name: 'a rate limit that passes',
    reply: status(429, errorBody({ code: 'rate_limit_exceeded' }), { 'retry-after-ms': '5' }),
    calls: 2,
    error: 'rate_limit_exceeded',
  },
  {
    name: 'our own credential refused',
    reply: status(401, errorBody({ code: 'invalid_api_key' })),
    calls: 1,
    error: 'invalid_api_key',
  },
  { name: 'HTTP 403', reply: status(403, errorBody({})), calls: 1, error: 'invalid_request_error' },
  {
    name: 'a model unknown upstream',
    reply: status(404, errorBody({ code: 'model_not_found' })),
    calls: 1,
    error: 'model_not_found',
  },
  {
    name: 'a compressed answer',
    reply: status(200, 'x', { 'content-encoding': 'gzip' }),
    calls: 1,
    error: 'upstream_malformed',
  },
  {
    name: 'an error event before the content',
    stream: true,
    reply: events(roleEvent, `data: ${JSON.stringify(errorBody({ code: 'server_error', type: 'server_error' }))}\n\n`),
    calls: 2,
    error: 'server_error',
  },
  {
    name: 'a named error event',
    stream: true,
    reply: events('event: error\ndata: {"message":"no","code":500}\n\n'),
    calls: 2,
    error: 'http_502',
  },
  {
    name: 'an error as vLLM sends it',
    stream: true,
    reply: events('data: {"object":"error","message":"no","code":500}\n\n'),
    calls: 2,
    error: 'http_502',
  },
  { name: 'a stream of nothing', stream: true, reply: events(), calls: 2, error: 'upstream_empty_answer' },
  { name: 'a stream of [DONE] only', stream: true, reply: events(doneEvent), calls: 2, error: 'upstream_empty_answer' },
  {
    name: 'a stream that ends before the content',
    stream: true,
    reply: events(roleEvent),
    calls: 2,
    error: 'upstream_truncated',
  },
  {
    name: 'a stream cut before the content',
    stream: true,
    reply: eventsThen([roleEvent], cut),
    calls: 2,
    error: 'upstream_connection_lost',
  },
  {
    name: 'a malformed first event',
    stream: true,
    reply: events('data: {"choices": [\n\n'),
    calls: 1,
    error: 'upstream_malformed',
  },
  {
    name: 'a stream silent before the content',
    stream: true,
    reply: eventsThen([roleEvent], () => undefined),
    calls: 1,
    error: 'upstream_timeout',
  },
  {
    name: 'JSON instead of a stream',
    stream: true,
    reply: (response) => complete('x')(response, { body: {} } as never, {} as never),
    calls: 1,
    error: 'upstream_malformed',
  },
];

test('faults that another rung mends', async (t) => {
  for (const row of climbing) {
    await t.test(row.name, async () => {
      await using fixture = await startFixture({ timeouts: fast });
      fixture.first.otherwise(row.reply);
      fixture.other.otherwise(complete('from the other region'));
      const answer = await fixture.ask(chat({ stream: row.stream ?? false }));
      assert.equal(answer.status, 200);
      assert.match(await answer.text(), /region/);
      assert.equal(answer.headers.get('x-understudy-rung'), 'other-region');
      assert.equal(answer.headers.get('x-understudy-upstream'), 'other');
      assert.equal(answer.headers.get('x-understudy-attempts'), String(row.calls + 1));
      assert.equal(fixture.first.calls.length, row.calls);
      assert.equal(fixture.backup.calls.length, 0);
      assert.deepEqual(
        attemptsOf(fixture).map((attempt) => attempt.error),
        [...Array(row.calls).fill(row.error), undefined],
      );
    });
  }
});

test('faults that are the client’s to mend never climb', async (t) => {
  const filter = errorBody({ code: 'content_filter', param: 'prompt', message: 'filtered' });
  const rows: { name: string; reply: Reply; status: number; code: string | null }[] = [
    { name: 'a content filter', reply: status(400, filter), status: 400, code: 'content_filter' },
    {
      name: 'a parameter the model refuses',
      reply: status(400, errorBody({ code: 'unsupported_value' })),
      status: 400,
      code: 'unsupported_value',
    },
    { name: 'validation as FastAPI words it', reply: status(422, { detail: 'bad field' }), status: 422, code: null },
    {
      name: 'a bad request under HTTP 200',
      reply: status(200, errorBody({ code: 400 })),
      status: 400,
      code: 'invalid_request_error',
    },
  ];
  for (const row of rows) {
    await t.test(row.name, async () => {
      await using fixture = await startFixture();
      fixture.first.otherwise(row.reply);
      const answer = await fixture.ask(chat());
      assert.equal(answer.status, row.status);
      assert.equal((await envelopeOf(answer)).code, row.code);
      assert.deepEqual([fixture.first.calls.length, fixture.other.calls.length], [1, 0]);
      assert.equal(fixture.journal.of('close')[0]?.meta['outcome'], 'refused');
      assert.equal(fixture.gateway.state().lanes.production.upstreams[0]?.breaker.failures, 0);
    });
  }
});

test('when no rung answers, the first rung’s fault is told with the right status and wait', async (t) => {
  const rows: { name: string; reply: Reply; status: number; code: string; wait?: string; retry?: string }[] = [
    {
      name: 'rate limit',
      reply: status(429, errorBody({ code: 'rate_limit_exceeded' }), { 'retry-after': '7' }),
      status: 429,
      code: 'rate_limit_exceeded',
      wait: '7000',
    },
    {
      name: 'a long rate limit',
      reply: status(429, errorBody({}), { 'retry-after': '90' }),
      status: 429,
      code: 'rate_limit_exceeded',
      wait: '90000',
      retry: 'false',
    },
    {
      name: 'quota',
      reply: status(429, errorBody({ type: 'insufficient_quota' })),
      status: 429,
      code: 'insufficient_quota',
      retry: 'false',
    },
    {
      name: 'overload',
      reply: status(503, errorBody({ code: 'server_is_overloaded' })),
      status: 503,
      code: 'upstream_overloaded',
    },
    {
      name: 'server error',
      reply: status(500, errorBody({ type: 'server_error' })),
      status: 502,
      code: 'upstream_error',
    },
    {
      name: 'our credential',
      reply: status(401, errorBody({ message: `Incorrect API key: ${upstreamSecret}` })),
      status: 502,
      code: 'upstream_credential_rejected',
    },
    {
      name: 'our model name',
      reply: status(404, errorBody({ code: 'model_not_found' })),
      status: 502,
      code: 'upstream_misconfigured',
    },
    { name: 'silence', reply: blackHole, status: 504, code: 'upstream_timeout' },
    { name: 'a lost connection', reply: reset, status: 502, code: 'upstream_connection_lost' },
  ];
  for (const row of rows) {
    await t.test(row.name, async () => {
      await using fixture = await startFixture({ timeouts: fast });
      for (const upstream of [fixture.first, fixture.other, fixture.backup]) upstream.otherwise(row.reply);
      const answer = await fixture.ask(chat());
      const error = await envelopeOf(answer);
      assert.deepEqual([answer.status, error.code], [row.status, row.code]);
      assert.equal(answer.headers.get('retry-after-ms'), row.wait ?? null);
      assert.equal(answer.headers.get('x-should-retry'), row.retry ?? null);
      assert.ok(!JSON.stringify(error).includes(upstreamSecret));
      assert.equal(fixture.journal.of('close')[0]?.meta['outcome'], 'failed');
    });
  }
});

test('the message rung answers when the models do not, streaming and not', async () => {
  await using fixture = await startFixture({ route: { ladder: [...modelRungs, messageRung] } });
  for (const upstream of [fixture.first, fixture.other, fixture.backup]) upstream.otherwise(status(500, ''));
  const whole = await fixture.ask(chat());
  assert.equal(whole.headers.get('x-understudy-rung'), 'message');
  assert.equal(whole.headers.get('x-understudy-upstream'), null);
  const body = (await whole.json()) as { choices: { message: { content: string }; finish_reason: string }[] };
  assert.deepEqual([body.choices[0]?.message.content, body.choices[0]?.finish_reason], [messageRung.text, 'stop']);
  const stream = await (await fixture.ask(chat({ stream: true, stream_options: { include_usage: true } }))).text();
  assert.ok(stream.includes(messageRung.text) && stream.includes('"usage"') && stream.endsWith(doneEvent));
  assert.deepEqual(fixture.gateway.state().lanes.production.byRung, { message: 2 });
});

test('one deadline for the whole ladder: a message is still given within it, else an error', async () => {
  const timeouts = { connect: '5s', firstByte: '5s', idle: '5s' };
  for (const ladder of [[...modelRungs, messageRung], modelRungs]) {
    await using fixture = await startFixture({ timeouts, route: { ladder, deadline: '300ms' } });
    for (const upstream of [fixture.first, fixture.other]) upstream.otherwise(blackHole);
    const answer = await fixture.ask(chat());
    if (ladder === modelRungs) {
      assert.deepEqual([answer.status, (await envelopeOf(answer)).code], [504, 'deadline_exceeded']);
    } else {
      assert.deepEqual([answer.status, answer.headers.get('x-understudy-rung')], [200, 'message']);
    }
    assert.deepEqual([attemptsOf(fixture).length, fixture.other.calls.length], [1, 0]);
    await fixture.first.calls[0]?.closed;
  }
});

test('an open breaker is skipped, said so, and let recover through a probe', async () => {
  await using fixture = await startFixture({
    route: { ladder: modelRungs.slice(0, 2), attemptsPerRungMax: 1 },
    breaker: { callsMin: 2, openFor: '50ms' },
  });
  fixture.first.next(status(500, ''), status(500, ''));
  for (let calls = 0; calls < 3; calls++) assert.equal((await fixture.ask(chat())).status, 200);
  assert.equal(fixture.first.calls.length, 2);
  assert.deepEqual(
    attemptsOf(fixture, 2).map((attempt) => [attempt.upstream, attempt.outcome, attempt.error]),
    [
      ['first', 'skipped', 'breaker_open'],
      ['other', 'answered', undefined],
    ],
  );
  await until(() => fixture.gateway.state().lanes.production.upstreams[0]?.breaker.retryInMs === 0);
  assert.equal((await fixture.ask(chat())).headers.get('x-understudy-rung'), 'model');
  assert.ok(fixture.logged.some((line) => line.code === 'breaker-open' && line['upstream'] === 'first'));
});

test('all breakers open: a clear 503 with the time of the next probe, and no call', async () => {
  await using fixture = await startFixture({
    route: { ladder: modelRungs.slice(0, 1), attemptsPerRungMax: 1 },
    breaker: { callsMin: 1, openFor: '1h' },
  });
  fixture.first.otherwise(status(500, ''));
  await fixture.ask(chat());
  const answer = await fixture.ask(chat());
  assert.deepEqual([answer.status, (await envelopeOf(answer)).code], [503, 'all_upstreams_closed']);
  assert.equal(answer.headers.get('x-should-retry'), 'false');
  assert.equal(fixture.first.calls.length, 1);
});

test('a client that is repeating by itself gets no repetitions on top', async () => {
  await using fixture = await startFixture();
  fixture.first.otherwise(status(500, ''));
  await fixture.ask(chat(), { headers: { 'x-stainless-retry-count': '1' } });
  assert.equal(fixture.first.calls.length, 1);
});

test('a credential refused with 401 is read again once, and the new one is used at once', async () => {
  const values = ['sk-old', 'sk-new'];
  const secrets = { read: () => Promise.resolve(values.shift() ?? 'sk-none') };
  await using fixture = await startFixture({ secrets, route: { ladder: modelRungs.slice(0, 1) } });
  fixture.first.otherwise((response, call, request) =>
    call.headers.authorization === 'Bearer sk-new'
      ? complete('ok')(response, call, request)
      : status(401, errorBody({ code: 'invalid_api_key' }))(response, call, request),
  );
  assert.equal((await fixture.ask(chat())).status, 200);
  assert.deepEqual(
    fixture.first.calls.map((call) => call.headers.authorization),
    ['Bearer sk-old', 'Bearer sk-new'],
  );
});

test('a credential that cannot be read closes its rung only', async () => {
  const secrets = {
    read: (reference: string) =>
      reference === 'env:KEY_FIRST' ? Promise.reject(new Error('vault down')) : Promise.resolve('sk-x'),
  };
  await using fixture = await startFixture({ secrets });
  assert.equal((await fixture.ask(chat())).headers.get('x-understudy-rung'), 'other-region');
  assert.equal(attemptsOf(fixture)[0]?.error, 'upstream_credential_unreadable');
});

test('nobody listens at the first upstream', async () => {
  await using fixture = await startFixture();
  await fixture.first.close();
  assert.equal((await fixture.ask(chat())).headers.get('x-understudy-rung'), 'other-region');
  assert.equal(attemptsOf(fixture)[0]?.error, 'upstream_unreachable');
});

test('the client’s bytes are forwarded; only the model is edited, and only when it differs', async () => {
  const text =
    '{"seed": 12345678901234567890, "model":"assistant","messages":[{"role":"user","content":"h\\u0069"}],"new_field":[1]}';
  await using same = await startFixture({ upstreamModel: 'gpt-4o' });
  await same.ask(text);
  assert.equal(
    same.first.calls[0]?.text,
    '{"seed": 12345678901234567890,"model":"gpt-4o","messages":[{"role":"user","content":"h\\u0069"}],"new_field":[1]}',
  );
  await using untouched = await startFixture();
  const plain = '{ "model":"assistant", "messages":[{"role":"user","content":"é"}] }';
  await untouched.ask(plain);
  assert.equal(untouched.first.calls[0]?.text, plain);
  await untouched.ask('{"model":"other","messages":[{}],"model":"assistant"}');
  assert.equal(untouched.first.calls[1]?.text, '{"model":"assistant","messages":[{}]}');
});

test('rate-limit headers of the upstream are passed on', async () => {
  await using fixture = await startFixture();
  fixture.first.otherwise(
    complete('x', { 'x-ratelimit-remaining-requests': '9', 'x-request-id': 'req_1', 'set-cookie': 'a=b' }),
  );
  const { headers } = await fixture.ask(chat());
  assert.equal(headers.get('x-ratelimit-remaining-requests'), '9');
  assert.equal(headers.get('x-upstream-request-id'), 'req_1');
  assert.match(headers.get('x-request-id') ?? '', /^xc_/);
  assert.equal(headers.get('set-cookie'), null);
});

test('content that comes with its finish reason is content', async () => {
  await using fixture = await startFixture();
  fixture.first.next(events(chunkEvent({ content: 'all at once' }, 'stop'), doneEvent), events(finishEvent, doneEvent));
  assert.match(await (await fixture.ask(chat({ stream: true }))).text(), /all at once[\s\S]*\[DONE\]/);
  assert.match(await (await fixture.ask(chat({ stream: true }))).text(), /"stop"[\s\S]*\[DONE\]/);
});

function attemptsOf(fixture: Fixture, exchange = 0): readonly ExchangeAttempt[] {
  return fixture.journal.of('close')[exchange]?.meta['attempts'] as readonly ExchangeAttempt[];
}
