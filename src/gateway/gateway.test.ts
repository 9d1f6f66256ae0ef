// The gateway as a server: its limits, its mounts, how it closes, how it recovers, and the official client as judge.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { APIError, AuthenticationError, BadRequestError, RateLimitError } from 'openai';
import { sha256 } from '#base';
import { recoverInterrupted } from './mod.ts';
import {
  chat,
  clientKey,
  envelopeOf,
  messageRung,
  modelRungs,
  startFixture,
  until,
  type Fixture,
} from './testing/fixture.ts';
import { MemoryJournal } from './testing/memory-journal.ts';
import {
  blackHole,
  chunkEvent,
  complete,
  errorBody,
  events,
  eventsThen,
  roleEvent,
  status,
  streamOf,
} from './testing/scripted-upstream.ts';

const openai = (fixture: Fixture, options: { apiKey?: string; maxRetries?: number } = {}): OpenAI =>
  new OpenAI({ baseURL: `${fixture.url}/v1`, apiKey: clientKey, maxRetries: 0, ...options });
const question = { model: 'assistant', messages: [{ role: 'user' as const, content: 'hi' }] };

test('the official client: a completion, a stream, the models', async () => {
  await using fixture = await startFixture();
  fixture.first.otherwise(complete('grüße an alle 🜂'));
  const client = openai(fixture);
  const whole = await client.chat.completions.create(question);
  assert.equal(whole.choices[0]?.message.content, 'grüße an alle 🜂');
  let text = '';
  for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? '';
  }
  assert.equal(text, 'grüße an alle 🜂');
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepEqual(names, ['assistant']);
});

test('the official client: a message is a valid completion and a valid stream', async () => {
  await using fixture = await startFixture({ route: { ladder: [messageRung] } });
  const client = openai(fixture);
  const whole = await client.chat.completions.create(question);
  assert.equal(whole.choices[0]?.message.content, messageRung.text);
  const stream = client.chat.completions.stream(question);
  assert.equal(await stream.finalContent(), messageRung.text);
});

test('the official client throws its own classes', async () => {
  await using fixture = await startFixture({ route: { ladder: modelRungs.slice(0, 1) } });
  const create = (client = openai(fixture)): Promise<unknown> => client.chat.completions.create(question);
  await assert.rejects(create(openai(fixture, { apiKey: 'sk-wrong' })), AuthenticationError);
  fixture.first.next(status(400, errorBody({ code: 'content_filter' })));
  await assert.rejects(create(), (error) => error instanceof BadRequestError && error.code === 'content_filter');
  fixture.first.next(status(429, errorBody({ code: 'rate_limit_exceeded' }), { 'retry-after': '30' }));
  await assert.rejects(
    create(),
    (error) => error instanceof RateLimitError && (error.requestID ?? '').startsWith('xc_'),
  );
});

test('the official client throws on a stream that breaks, after what came', async () => {
  await using fixture = await startFixture();
  fixture.first.otherwise(events(roleEvent, chunkEvent({ content: 'half' })));
  let text = '';
  await assert.rejects(
    async () => {
      for await (const chunk of await openai(fixture).chat.completions.create({ ...question, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? '';
      }
    },
    (error) => error instanceof APIError && error.code === 'upstream_truncated',
  );
  assert.equal(text, 'half');
});

test('the official client repeats as it is told, and does not when told not to', async () => {
  await using fixture = await startFixture({ route: { ladder: modelRungs.slice(0, 1), attemptsPerRungMax: 1 } });
  fixture.first.next(status(429, errorBody({ code: 'rate_limit_exceeded' }), { 'retry-after-ms': '5' }));
  await openai(fixture, { maxRetries: 1 }).chat.completions.create(question);
  assert.equal(fixture.first.calls.length, 2);
  fixture.first.next(status(429, errorBody({ type: 'insufficient_quota' })));
  await assert.rejects(openai(fixture, { maxRetries: 3 }).chat.completions.create(question), RateLimitError);
  assert.equal(fixture.first.calls.length, 3);
});

test('more requests at once than declared are turned away with a wait', async () => {
  await using fixture = await startFixture({ gateway: { concurrencyMax: 1 } });
  fixture.first.otherwise(blackHole);
  const leaving = new AbortController();
  const waiting = fixture.ask(chat(), { signal: leaving.signal }).catch(() => undefined);
  await until(() => fixture.first.calls.length === 1);
  const answer = await fixture.ask(chat());
  assert.deepEqual([answer.status, (await envelopeOf(answer)).code], [503, 'gateway_overloaded']);
  assert.equal(answer.headers.get('retry-after'), '1');
  leaving.abort();
  await waiting;
  assert.equal(fixture.gateway.state().turnedAway['overloaded'], 1);
});

test('other handlers live on the same port; one that fails gives an envelope without a stack', async () => {
  const mounts = [
    {
      prefix: '/api/public/',
      handle: async (_: unknown, response: { end(text: string): void }) => response.end('relay'),
    },
    { prefix: '/understudy/', handle: () => Promise.reject(new Error('broken')) },
  ];
  await using fixture = await startFixture({ mounts });
  assert.equal(await (await fetch(`${fixture.url}/api/public/otel/v1/traces`)).text(), 'relay');
  const broken = await fetch(`${fixture.url}/understudy/state`);
  const error = await envelopeOf(broken);
  assert.deepEqual([broken.status, error.code], [500, 'internal_error']);
  assert.ok(!/broken|at .*\.ts/.test(error.message));
});

test('a port that is taken is a clear failure', async () => {
  await using fixture = await startFixture();
  await assert.rejects(fixture.gateway.listen(), { code: 'GATEWAY_PORT' });
});

test('closing waits for what runs, then ends it with an error and a record', async () => {
  const fixture = await startFixture();
  fixture.first.next(complete('in time'));
  const begun = eventsThen([roleEvent, chunkEvent({ content: 'half' })], () => undefined);
  fixture.first.next(begun, blackHole);
  assert.equal((await fixture.ask(chat())).status, 200);
  const stream = await fixture.ask(chat({ stream: true }));
  const whole = fixture.ask(chat());
  await until(() => fixture.first.calls.length === 3);
  await fixture[Symbol.asyncDispose]();
  assert.match(await stream.text(), /"code":"gateway_closing"/);
  assert.deepEqual([(await whole).status, (await envelopeOf(await whole)).code], [503, 'gateway_closing']);
  assert.deepEqual(
    fixture.journal.of('close').map((close) => close.meta['outcome']),
    ['answered', 'interrupted', 'interrupted'],
  );
});

test('closing lets a running exchange finish in its time', async () => {
  const fixture = await startFixture();
  const { promise: go, resolve } = Promise.withResolvers<void>();
  fixture.first.otherwise(async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const [role = '', ...rest] = streamOf('all of it');
    response.write(role);
    await go;
    response.end(rest.join(''));
  });
  const asked = fixture.ask(chat({ stream: true }));
  await until(() => fixture.first.calls.length === 1);
  const closing = fixture.gateway.close(10_000);
  await until(() => fixture.gateway.state().draining);
  resolve();
  assert.match(await (await asked).text(), /\[DONE\]/);
  await closing;
  await fixture[Symbol.asyncDispose]();
});

test('after a crash every open exchange gets its close, once', async () => {
  const journal = new MemoryJournal();
  const append = (kind: 'open' | 'part' | 'close', exchange: string, body = ''): Promise<void> =>
    journal.append({ kind, meta: { exchange, startedAtMs: 5 }, body: Buffer.from(body) }).durable;
  await append('open', 'xc_whole');
  await append('open', 'xc_cut');
  await append('part', 'xc_cut', 'ab');
  await append('close', 'xc_whole');
  await append('part', 'xc_cut', 'c');
  await append('open', 'xc_silent');
  await append('part', 'xc_released', 'x');
  assert.deepEqual(await recoverInterrupted(journal), { interrupted: 2, left: 0 });
  assert.deepEqual(await recoverInterrupted(journal), { interrupted: 0, left: 0 });
  const written = journal
    .of('close')
    .slice(1)
    .map(({ meta }) => [meta['exchange'], meta['outcome'], meta['answerBytes'], meta['answerSha256']]);
  assert.deepEqual(written, [
    ['xc_cut', 'interrupted', 3, sha256('abc')],
    ['xc_silent', 'interrupted', 0, sha256('')],
  ]);
});
