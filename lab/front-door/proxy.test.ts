import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as ask, type IncomingMessage, type ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { doorFixture, stop, type DoorFixture } from './testing.ts';

async function opened(t: TestContext, ...given: Parameters<typeof doorFixture>): Promise<DoorFixture> {
  const fixture = await doorFixture(...given);
  t.after(() => fixture.close());
  return fixture;
}

void test('an answer streams through as it is made: the first chunk arrives before the second exists', async (t) => {
  let origin: ServerResponse | undefined;
  const fixture = await opened(t, {
    home: (_request, response) => {
      origin = response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: one\n\n');
    },
  });
  const response = await fetch(`${fixture.door.publicUrl}/v1/chat/completions`, { method: 'POST', body: '{}' });
  const reader = response.body?.getReader();
  assert.equal(new TextDecoder().decode((await reader?.read())?.value), 'data: one\n\n');
  origin?.end('data: [DONE]\n\n');
  assert.equal(new TextDecoder().decode((await reader?.read())?.value), 'data: [DONE]\n\n');
  assert.ok(response.headers.get('x-azure-ref'));
});

void test('a request body streams through too, and the origin learns who called', async (t) => {
  let seen: IncomingMessage | undefined;
  const fixture = await opened(t, {
    home: (request, response) => {
      seen = request;
      request.pipe(response);
    },
  });
  const request = ask(`${fixture.door.publicUrl}/echo?x=1`, {
    method: 'POST',
    headers: { 'x-forwarded-for': '10.0.0.9' },
  });
  request.write('first ');
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  assert.equal(String((await chunks.next()).value), 'first ');
  request.end('second');
  assert.equal(String((await chunks.next()).value), 'second');
  assert.equal((await chunks.next()).done, true);
  assert.equal(seen?.url, '/echo?x=1');
  assert.equal(seen?.headers['x-forwarded-for'], '10.0.0.9, 127.0.0.1');
  assert.equal(seen?.headers['x-forwarded-host'], new URL(fixture.door.publicUrl).host);
  assert.equal(seen?.headers.host, new URL(fixture.origins.home.url).host);
});

void test('an origin that dies in mid-stream cuts the client: no last chunk, no envelope', async (t) => {
  let socket: IncomingMessage['socket'] | undefined;
  const fixture = await opened(t, {
    home: (request, response) => {
      socket = request.socket;
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n');
    },
  });
  const response = await fetch(fixture.door.publicUrl);
  const reader = response.body?.getReader();
  await reader?.read();
  socket?.destroy();
  await assert.rejects(async () => reader?.read());
  assert.equal(fixture.door.counts().cut.home, 1);
  const rows = fixture.door.ledger.effectsAfter(0, { type: 'answer-cut' });
  assert.deepEqual(
    rows.map((row) => row.key),
    ['home'],
  );
});

void test('an origin that is down, or none enabled, gives the front door its own 503 page', async (t) => {
  const fixture = await opened(t);
  await stop(fixture.origins.home.server);
  const down = await fetch(`${fixture.door.publicUrl}/v1/models`);
  assert.equal(down.status, 503);
  assert.match(down.headers.get('content-type') ?? '', /^text\/html/);
  assert.match(await down.text(), /Our services aren't available right now/);
  const closed = await opened(
    t,
    {},
    {
      origins: {
        home: { url: 'http://127.0.0.1:9', enabled: false },
        partner: { url: 'http://127.0.0.1:9', enabled: false },
      },
    },
  );
  assert.equal((await fetch(closed.door.publicUrl)).status, 503);
  assert.equal(closed.door.counts().unavailable, 1);
});

void test('an origin that says nothing is given up after the timeout', async (t) => {
  const fixture = await opened(t, { home: () => undefined }, { originTimeoutMs: 30 });
  assert.equal((await fetch(fixture.door.publicUrl)).status, 503);
});

void test('a client that leaves takes its call to the origin with it', async (t) => {
  let left: Promise<unknown> | undefined;
  const fixture = await opened(t, {
    home: (request, response) => {
      left = once(request.socket, 'close');
      response.writeHead(200).write('x');
    },
  });
  const controller = new AbortController();
  const response = await fetch(fixture.door.publicUrl, { signal: controller.signal });
  await response.body?.getReader().read();
  controller.abort();
  await left;
  assert.equal(fixture.door.counts().clientGone, 1);
  assert.equal(fixture.door.counts().cut.home, 0);
});

void test('calls that pass are counted and leave no row in the ledger', async (t) => {
  const fixture = await opened(t);
  for (let index = 0; index < 5; index++) await (await fetch(fixture.door.publicUrl)).text();
  assert.equal(fixture.door.counts().answered.home, 5);
  assert.deepEqual(fixture.door.ledger.askedAfter(0), []);
  assert.deepEqual(fixture.door.ledger.effectsAfter(0), []);
  const counts = (await (await fetch(`${fixture.door.url}/_lab/counts`)).json()) as { answered: { home: number } };
  assert.equal(counts.answered.home, 5);
});
