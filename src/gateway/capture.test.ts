// What may leave before which record is durable, and what happens when a record cannot be written.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '#base';
import { chat, clientKey, envelopeOf, startFixture, until, upstreamSecret } from './testing/fixture.ts';
import {
  chunkEvent,
  complete,
  doneEvent,
  errorBody,
  events,
  eventsThen,
  finishEvent,
  roleEvent,
  status,
} from './testing/scripted-upstream.ts';

const begun = [roleEvent, chunkEvent({ content: 'half ' })];

/** Reads a stream in the background and shows what has come so far. */
function reading(answer: Response): { seen(): string; ended: Promise<void> } {
  let text = '';
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true });
  })();
  return { seen: () => text, ended };
}

test('no byte of a stream leaves before `open` is durable, though the upstream is asked at once', async () => {
  await using fixture = await startFixture();
  fixture.journal.holding = true;
  let answered = false;
  const asked = fixture.ask(chat({ stream: true })).then((answer) => {
    answered = true;
    return answer;
  });
  await until(() => fixture.first.calls.length === 1);
  await fixture.first.calls[0]?.closed;
  // Ample time for the answer to arrive, counted in round trips.
  for (let trips = 0; trips < 20; trips++) await (await fetch(`${fixture.url}/livez`)).text();
  assert.equal(answered, false);
  fixture.journal.settle();
  assert.match(await (await asked).text(), /\[DONE\]/);
});

test('the end of a stream, from its first finish reason, waits for `close`', async () => {
  await using fixture = await startFixture();
  fixture.first.otherwise(async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(begun.join(''));
    await until(() => fixture.journal.holding);
    response.end(finishEvent + doneEvent);
  });
  const stream = reading(await fixture.ask(chat({ stream: true })));
  await until(() => stream.seen() === begun.join(''));
  fixture.journal.holding = true;
  await until(() => fixture.journal.of('close').length === 1);
  assert.equal(stream.seen(), begun.join(''));
  fixture.journal.settle();
  await stream.ended;
  assert.equal(stream.seen(), [...begun, finishEvent, doneEvent].join(''));
});

test('status line and body of a whole answer wait for `close`', async () => {
  await using fixture = await startFixture();
  fixture.journal.holding = true;
  let answered = false;
  const asked = fixture.ask(chat()).then((answer) => {
    answered = true;
    return answer;
  });
  await until(() => fixture.journal.of('close').length === 1);
  assert.equal(answered, false);
  fixture.journal.settle();
  assert.equal((await asked).status, 200);
});

test('parts are at most 64 KiB, in order, and with digest and length they are the answer', async () => {
  await using fixture = await startFixture();
  fixture.first.otherwise(complete('é'.repeat(100_000)));
  for (const stream of [false, true]) {
    const text = await (await fixture.ask(chat({ stream }))).text();
    const close = fixture.journal.of('close').at(-1)?.meta;
    const parts = fixture.journal.of('part').filter((part) => part.meta['exchange'] === close?.['exchange']);
    assert.ok(parts.length > 3 && parts.every((part) => part.body.length <= 65_536));
    let offset = 0;
    for (const part of parts) {
      assert.equal(part.meta['offset'], offset);
      offset += part.body.length;
    }
    assert.equal(fixture.journal.answerOf(close?.['exchange']), text);
    assert.deepEqual([close?.['answerBytes'], close?.['answerSha256']], [Buffer.byteLength(text), sha256(text)]);
  }
});

test('bytes of a stream that has gone quiet are recorded without waiting for more', async () => {
  await using fixture = await startFixture();
  fixture.first.otherwise(eventsThen(begun, () => undefined));
  await fixture.ask(chat({ stream: true }));
  await until(() => fixture.journal.of('part').length === 1);
  assert.equal(Buffer.from(fixture.journal.of('part')[0]?.body ?? []).toString('utf8'), begun.join(''));
});

test('beyond captureBytesMax only length and digest are kept', async () => {
  await using fixture = await startFixture({ gateway: { captureBytesMax: 65_536 } });
  fixture.first.otherwise(complete('x'.repeat(100_000)));
  const question = JSON.stringify(chat({ pad: 'y'.repeat(70_000) }));
  const text = await (await fixture.ask(question)).text();
  const open = fixture.journal.of('open')[0];
  assert.deepEqual([open?.body.length, open?.meta['requestSha256']], [0, sha256(question)]);
  assert.equal(fixture.journal.of('part').length, 0);
  const close = fixture.journal.of('close')[0]?.meta;
  assert.deepEqual([close?.['answerBytes'], close?.['answerSha256']], [text.length, sha256(text)]);
});

test('capture `metadata` keeps no body', async () => {
  await using fixture = await startFixture({ route: { capture: 'metadata' } });
  await (await fixture.ask(chat())).text();
  await (await fixture.ask(chat({ stream: true }))).text();
  assert.deepEqual(
    fixture.journal.records.map((record) => [record.kind, record.body.length]),
    [
      ['open', 0],
      ['close', 0],
      ['open', 0],
      ['close', 0],
    ],
  );
});

test('a journal that takes no `open`: refused before any model is called, or answered and counted', async () => {
  for (const onJournalFailure of ['refuse', 'answer'] as const) {
    await using fixture = await startFixture({ route: { onJournalFailure } });
    fixture.journal.failing = 'JOURNAL_FULL';
    const answer = await fixture.ask(chat());
    if (onJournalFailure === 'refuse') {
      assert.deepEqual([answer.status, (await envelopeOf(answer)).code], [503, 'journal_unavailable']);
      assert.equal(fixture.first.calls.length, 0);
    } else {
      assert.equal(answer.status, 200);
      const stream = await (await fixture.ask(chat({ stream: true }))).text();
      assert.ok(stream.endsWith(doneEvent));
    }
    assert.equal(fixture.gateway.state().journalGaps, onJournalFailure === 'refuse' ? 1 : 2);
    assert.ok(fixture.logged.some((line) => line.code === 'journal-gap'));
  }
});

test('a journal that takes no `close`: 503 or an error event, or answered and counted', async () => {
  for (const onJournalFailure of ['refuse', 'answer'] as const) {
    await using fixture = await startFixture({ route: { onJournalFailure } });
    fixture.journal.failing = 'JOURNAL_FAILED';
    fixture.journal.failingKinds = ['close'];
    const whole = await fixture.ask(chat());
    const stream = await (await fixture.ask(chat({ stream: true }))).text();
    if (onJournalFailure === 'refuse') {
      assert.deepEqual([whole.status, (await envelopeOf(whole)).code], [503, 'journal_unavailable']);
      assert.ok(
        stream.includes('"code":"journal_unavailable"') && !stream.includes('[DONE]') && !stream.includes('"stop"'),
      );
    } else {
      assert.equal(whole.status, 200);
      assert.ok(stream.endsWith(doneEvent));
    }
    assert.equal(fixture.gateway.state().journalGaps, 2);
  }
});

test('a part that cannot be written breaks a stream that must be recorded', async () => {
  await using fixture = await startFixture();
  fixture.journal.failing = 'JOURNAL_BUSY';
  fixture.journal.failingKinds = ['part'];
  const stream = await (await fixture.ask(chat({ stream: true }))).text();
  assert.ok(stream.includes('"code":"journal_unavailable"') && !stream.includes('[DONE]'));
  assert.notEqual(fixture.journal.of('close')[0]?.meta['outcome'], 'answered');
});

test('names of any length, from either side, fit into the record', async () => {
  await using fixture = await startFixture();
  fixture.authority.mayAct = false;
  const long = 'n'.repeat(100_000);
  const usage = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`${long.slice(0, 50)}${index}`, 1]));
  fixture.first.next(
    status(200, { id: long, model: long, choices: [{ finish_reason: long, message: { content: 'x' } }], usage }),
  );
  const tools = Array.from({ length: 300 }, (_, index) => ({
    type: 'function',
    function: { name: `${long.slice(0, 2_000)}${index}` },
  }));
  assert.equal((await fixture.ask(chat({ tools }))).status, 200);
  assert.equal((await fixture.ask(chat({ model: long }))).status, 404);
  const metaBytes = fixture.journal.records.map((record) => JSON.stringify(record.meta).length);
  assert.ok(Math.max(...metaBytes) < 100_000);
});

test('the facts the provider reported are in the record', async () => {
  await using fixture = await startFixture();
  for (const stream of [false, true]) {
    await (await fixture.ask(chat({ stream }))).text();
    const close = fixture.journal.of('close').at(-1)?.meta;
    assert.deepEqual(close?.['usage'], {
      prompt_tokens: 3,
      completion_tokens: 2,
      total_tokens: 5,
      'prompt_tokens_details.cached_tokens': 1,
    });
    assert.deepEqual(
      [close?.['responseId'], close?.['responseModel'], close?.['systemFingerprint']],
      ['chatcmpl-1', 'gpt-test', 'fp_1'],
    );
    assert.deepEqual(close?.['finishReasons'], ['stop']);
  }
});

test('no secret value in journal, log, state or answer, whatever upstreams and clients do with it', async () => {
  await using fixture = await startFixture();
  const leak = `bad key ${upstreamSecret}`;
  for (const upstream of [fixture.first, fixture.other, fixture.backup]) {
    upstream.next(
      status(401, errorBody({ code: upstreamSecret, message: leak })),
      status(400, errorBody({ code: upstreamSecret, type: leak, param: leak, message: leak })),
    );
  }
  const answers = [
    await fixture.ask(chat()),
    await fixture.ask(chat()),
    await fixture.ask(chat(), { headers: { authorization: 'Bearer sk-wrong-secret', 'x-request-id': 'r' } }),
    await fixture.ask('{', { headers: { cookie: 'sk-cookie-secret' } }),
  ];
  fixture.first.next(events(`data: ${JSON.stringify(errorBody({ code: 'content_filter', message: leak }))}\n\n`));
  answers.push(await fixture.ask(chat({ stream: true })));
  fixture.first.next(
    events(...begun, `data: ${JSON.stringify(errorBody({ code: 'content_filter', message: leak }))}\n\n`),
  );
  answers.push(await fixture.ask(chat({ stream: true })));
  const shown = await Promise.all(
    answers.map(async (answer) => `${[...answer.headers.values()].join()} ${await answer.text()}`),
  );
  const records = fixture.journal.records.map((record) => [record.meta, Buffer.from(record.body).toString('utf8')]);
  const everything = JSON.stringify([shown, records, fixture.logged, fixture.gateway.state()]);
  for (const secret of [upstreamSecret, clientKey, 'sk-wrong-secret', 'sk-cookie-secret']) {
    assert.ok(!everything.includes(secret), `${secret} must not appear`);
  }
  assert.match(everything, /\[credential\]/);
});
