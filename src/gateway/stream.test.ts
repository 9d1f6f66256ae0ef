// Streams after their first content: every break is told, nothing is claimed that is not recorded, and both sides keep
// the other's pace.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '#base';
import { chat, clientKey, modelRungs, startFixture, until, type Fixture } from './testing/fixture.ts';
import {
  chunkEvent,
  complete,
  cut,
  doneEvent,
  errorBody,
  events,
  eventsThen,
  finishEvent,
  roleEvent,
  streamOf,
  usageEvent,
  type Reply,
} from './testing/scripted-upstream.ts';

const timeouts = { connect: '200ms', firstByte: '500ms', idle: '100ms' };
const begun = [roleEvent, chunkEvent({ content: 'half ' })];

const breaks: { name: string; reply: Reply; code: string; deadline?: string }[] = [
  { name: 'a cut connection', reply: eventsThen(begun, cut), code: 'upstream_connection_lost' },
  { name: 'a clean end without a finish reason', reply: events(...begun), code: 'upstream_truncated' },
  { name: '[DONE] without a finish reason', reply: events(...begun, doneEvent), code: 'upstream_truncated' },
  { name: 'half an event at the end', reply: events(...begun, finishEvent.slice(0, 20)), code: 'upstream_truncated' },
  { name: 'silence', reply: eventsThen(begun, () => undefined), code: 'upstream_timeout' },
  {
    name: 'a malformed event',
    reply: events(...begun, 'data: {"choices"\n\n', finishEvent, doneEvent),
    code: 'upstream_malformed',
  },
  {
    name: 'an error event',
    reply: events(...begun, `data: ${JSON.stringify(errorBody({ code: 'server_error' }))}\n\n`),
    code: 'upstream_error',
  },
  {
    name: 'a rate limit in mid-stream',
    reply: events(...begun, 'data: {"error":{"code":429,"message":"no"}}\n\n'),
    code: 'rate_limit_exceeded',
  },
  {
    name: 'one of two choices unfinished',
    reply: events(...begun, finishEvent.replace('"index":0', '"index":1'), doneEvent),
    code: 'upstream_truncated',
  },
  { name: 'the deadline', reply: heartbeats, code: 'deadline_exceeded', deadline: '200ms' },
];

test('broken streams end in an error event, are journaled as truncated, and change no upstream', async (t) => {
  for (const row of breaks) {
    await t.test(row.name, async () => {
      await using fixture = await startFixture({
        timeouts,
        ...(row.deadline ? { route: { deadline: row.deadline } } : {}),
      });
      fixture.first.otherwise(row.reply);
      const answer = await fixture.ask(chat({ stream: true }));
      const text = await answer.text();
      assert.equal(answer.status, 200);
      assert.ok(text.startsWith(begun.join('')), 'what came before the break has passed');
      const last = text.trimEnd().split('\n\n').at(-1) ?? '';
      const { error } = JSON.parse(last.replace(/^data: /, '')) as {
        error: { code: string; message: string; type: string };
      };
      assert.equal(error.code, row.code);
      assert.ok(!text.includes('[DONE]') && !text.includes('"finish_reason":"stop"'));
      assert.deepEqual([fixture.first.calls.length, fixture.other.calls.length], [1, 0]);
      await until(() => fixture.journal.of('close').length === 1);
      const close = fixture.journal.of('close')[0]?.meta;
      assert.deepEqual([close?.['outcome'], close?.['error'], close?.['status']], ['truncated', row.code, 200]);
      assert.equal(fixture.journal.answerOf(close?.['exchange']), text);
      assert.equal(fixture.gateway.state().lanes.production.byRung['model'], undefined, 'not counted as an answer');
    });
  }
});

test('whole streams pass byte for byte; a missing [DONE] or last blank line is made good', async (t) => {
  const whole = streamOf('one two three');
  const comment = ': keep-alive\n\n';
  const rows: { name: string; sent: string[]; seen: string }[] = [
    { name: 'as it comes', sent: whole, seen: whole.join('') },
    {
      name: 'with CR LF',
      sent: whole.map((event) => event.replaceAll('\n', '\r\n')),
      seen: whole.join('').replaceAll('\n', '\r\n'),
    },
    {
      name: 'with comments',
      sent: [comment, ...begun, comment, finishEvent, doneEvent],
      seen: [...begun, comment, finishEvent, doneEvent].join(''),
    },
    {
      name: 'without [DONE]',
      sent: [...begun, finishEvent, usageEvent],
      seen: [...begun, finishEvent, usageEvent, doneEvent].join(''),
    },
    {
      name: 'without the last blank line',
      sent: [...begun, finishEvent, doneEvent.trimEnd()],
      seen: [...begun, finishEvent, doneEvent].join(''),
    },
    {
      name: 'with more after [DONE]',
      sent: [...begun, finishEvent, doneEvent, 'data: {"error":{}}\n\n'],
      seen: [...begun, finishEvent, doneEvent].join(''),
    },
    { name: 'byte by byte', sent: whole.join('').split(''), seen: whole.join('') },
  ];
  for (const row of rows) {
    await t.test(row.name, async () => {
      await using fixture = await startFixture();
      fixture.first.otherwise(events(...row.sent));
      const answer = await fixture.ask(chat({ stream: true }));
      assert.equal(await answer.text(), row.seen);
      const close = fixture.journal.of('close')[0]?.meta;
      assert.equal(close?.['outcome'], 'answered');
      assert.deepEqual(close?.['finishReasons'], ['stop']);
      assert.equal(close?.['answerBytes'], Buffer.byteLength(row.seen));
      assert.equal(fixture.journal.answerOf(close?.['exchange']), row.seen);
    });
  }
});

test('a client that leaves takes the upstream call with it, and nothing more is tried', async () => {
  for (const before of [begun, [roleEvent]]) {
    await using fixture = await startFixture();
    fixture.first.otherwise(eventsThen(before, () => undefined));
    const leaving = new AbortController();
    const asked = fixture.ask(chat({ stream: true }), { signal: leaving.signal });
    if (before === begun) await (await asked).body?.getReader().read();
    else await until(() => fixture.first.calls.length === 1);
    leaving.abort();
    await asked.catch(() => undefined);
    await fixture.first.calls[0]?.closed;
    await until(() => fixture.journal.of('close').length === 1);
    assert.equal(fixture.journal.of('close')[0]?.meta['outcome'], 'client_gone');
    assert.deepEqual([fixture.first.calls.length, fixture.other.calls.length], [1, 0]);
    assert.equal(fixture.gateway.state().lanes.production.upstreams[0]?.breaker.failures, 0);
    await until(() => fixture.gateway.state().inflight === 0);
  }
});

test('a client that leaves during a retry wait ends the retries', async () => {
  await using fixture = await startFixture({ route: { retryWaitMax: '1h', deadline: '2h' } });
  fixture.first.otherwise((response) => void response.writeHead(429, { 'retry-after': '600' }).end('{}'));
  const leaving = new AbortController();
  const asked = fixture.ask(chat(), { signal: leaving.signal });
  await until(() => fixture.first.calls.length === 1);
  leaving.abort();
  await asked.catch(() => undefined);
  await until(() => fixture.journal.of('close')[0]?.meta['outcome'] === 'client_gone');
  assert.deepEqual([fixture.first.calls.length, fixture.other.calls.length], [1, 0]);
});

test('a slow client pauses the upstream', async () => {
  await using fixture = await startFixture({ route: { ladder: modelRungs.slice(0, 1), deadline: '1h' } });
  const block = chunkEvent({ content: 'x'.repeat(60_000) });
  let written = 0;
  let paused = false;
  fixture.first.otherwise(async (response, call) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    while (!response.destroyed && written < 2_000) {
      written++;
      if (!response.write(block)) {
        paused = true;
        await Promise.race([once(response, 'drain'), call.closed]);
        paused = false;
      }
    }
  });
  const socket = connect(Number(new URL(fixture.url).port), '127.0.0.1');
  const body = JSON.stringify(chat({ stream: true }));
  socket.pause();
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  // Paused for good, not just between two reads.
  let seen = -1;
  let quiet = 0;
  await until(() => {
    quiet = paused && written === seen ? quiet + 1 : 0;
    seen = written;
    return quiet === 50 || written === 2_000;
  });
  assert.ok(written < 2_000, `the upstream was stopped after ${written} blocks`);
  socket.destroy();
  await until(() => fixture.journal.of('close')[0]?.meta['outcome'] === 'client_gone');
});

test('connections are used again after a whole stream, though its end comes after [DONE]', async () => {
  await using fixture = await startFixture();
  const ports = new Set<number | undefined>();
  fixture.first.otherwise(async (response, _, request) => {
    ports.add(request.socket.remotePort);
    const calls = fixture.first.calls.length;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(streamOf('again').join(''));
    await until(() => fixture.journal.of('close').length === calls);
    response.end();
  });
  for (let calls = 1; calls <= 3; calls++) {
    await (await fixture.ask(chat({ stream: true }))).text();
    await fixture.first.calls.at(-1)?.closed;
    await (await fetch(`${fixture.url}/livez`)).text();
  }
  assert.equal(ports.size, 1);
});

test('no timer, listener or running request is left behind', async () => {
  await using fixture = await startFixture();
  fixture.first.next(complete('a'), events(...begun), complete('b'));
  for (let calls = 0; calls < 3; calls++) await (await fixture.ask(chat({ stream: true }))).text();
  await until(() => idle(fixture));
});

function idle(fixture: Fixture): boolean {
  return fixture.gateway.state().inflight === 0 && fixture.journal.of('close').length === 3;
}

/** Content that never ends, so that only the deadline can. */
async function heartbeats(...[response]: Parameters<Reply>): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(begun.join(''));
  while (!response.destroyed) {
    response.write(': beat\n\n');
    await systemClock.sleep(20);
  }
}
