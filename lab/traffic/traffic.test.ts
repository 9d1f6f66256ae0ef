// The loops against a simulated model and against broken servers: every way a request can end is told apart.

import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { seededRandomness } from '#base';
import { rateLimited, specialFault } from '../model/mod.ts';
import { labKey, testModel } from '../model/testing.ts';
import type { Outcome } from './rows.ts';
import { startTraffic, type Traffic, type TrafficOptions } from './traffic.ts';

function traffic(baseUrl: string, more: Partial<TrafficOptions> = {}): Traffic {
  return startTraffic({
    baseUrl,
    apiKey: labKey,
    model: 'gpt-4o',
    randomness: seededRandomness(7),
    loops: 4,
    errorPauseMs: 1,
    ...more,
  });
}

/** Outcomes of the first requests against a server that answers in one way. */
async function outcomesOf(
  t: TestContext,
  answer: RequestListener,
  more: Partial<TrafficOptions> = {},
): Promise<Outcome> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const running = traffic(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, { loops: 1, ...more });
  while (running.requests().length === 0) await new Promise((resolve) => setImmediate(resolve));
  await running.stop();
  const outcome = running.requests()[0]?.outcome;
  assert.ok(outcome);
  return outcome;
}

test('the loops send streamed and whole requests, with and without tools, and all are answered', async () => {
  await using model = await testModel();
  const running = traffic(model.baseUrl);
  await running.waitFor((summary) => summary.answered >= 80);
  const summary = await running.stop();
  assert.equal(summary.answered, summary.sent);
  assert.equal(summary.inFlight, 0);
  const rows = running.requests();
  assert.ok(rows.some((row) => row.stream) && rows.some((row) => !row.stream));
  const effects = model.vendor.ledger.effectsAfter(0, { type: 'completion' });
  assert.deepEqual(new Set(effects.map((effect) => effect.detail['traceId'])), new Set(rows.map((row) => row.traceId)));
  const tools = new Set(rows.map((row) => (row.outcome.kind === 'answered' ? row.outcome.tool : undefined)));
  assert.deepEqual(tools, new Set([undefined, 'lookup_order', 'refund_order']));
});

test('a loop sends again at once after an error, and the errors are counted by code', async () => {
  await using model = await testModel();
  model.vendor.faults.replace([rateLimited({ 'retry-after': '30' }, { times: 12 })]);
  const running = traffic(model.baseUrl);
  await running.waitFor((summary) => summary.answered >= 4);
  const summary = await running.stop();
  assert.deepEqual(summary.errors, { '429 rate_limit_exceeded': 12 });
  assert.equal(summary.errorsWithoutEnvelope, 0);
});

test('streams that break, end early or end by an error event are told apart', async () => {
  const cases = [
    ['cut-stream', 6, 'cut-mid-stream'],
    ['cut-stream', 1, 'cut-before-answer'],
    ['end-early', 6, 'cut-mid-stream'],
    ['error-event', 6, 'error-with-envelope'],
    ['malformed-event', 6, 'error-without-envelope'],
    ['no-done', 6, 'answered'],
  ] as const;
  for (const [name, value, kind] of cases) {
    await using model = await testModel();
    model.vendor.faults.replace([specialFault(name, { value })]);
    const running = traffic(model.baseUrl, { loops: 1, streamShare: 1, toolShare: 0 });
    await running.waitFor((summary) => summary.sent > summary.inFlight);
    await running.stop();
    const outcome = running.requests()[0]?.outcome;
    assert.equal(outcome?.kind, kind, `${name} after ${value}`);
    if (outcome.kind === 'error-with-envelope') assert.equal(outcome.midStream, true);
  }
});

const envelope = JSON.stringify({ error: { message: 'm', type: 't', param: null, code: 'ladder_exhausted' } });

test('the headers of a gateway are kept with the answer and with the error', async (t) => {
  const headers = { 'content-type': 'application/json', 'x-understudy-site': 'home', 'x-understudy-mode': 'no-write' };
  const refused = await outcomesOf(t, (_request, response) => response.writeHead(503, headers).end(envelope));
  assert.deepEqual(refused, {
    kind: 'error-with-envelope',
    status: 503,
    code: 'ladder_exhausted',
    midStream: false,
    origin: 'gateway',
    site: 'home',
    mode: 'no-write',
  });
  const completion = JSON.stringify({ choices: [{ message: { content: 'x' }, finish_reason: 'stop' }] });
  const rung = { ...headers, 'x-understudy-rung': 'message', 'x-understudy-upstream': 'first' };
  const answered = await outcomesOf(t, (_request, response) => response.writeHead(200, rung).end(completion), {
    streamShare: 0,
  });
  assert.deepEqual(answered, {
    kind: 'answered',
    finishReason: 'stop',
    site: 'home',
    rung: 'message',
    upstream: 'first',
    mode: 'no-write',
  });
});

test('an error without the envelope is laid to the gateway only when the gateway sent it', async (t) => {
  const bare = (headers: Record<string, string>) =>
    outcomesOf(t, (_request, response) => response.writeHead(502, headers).end('<h1>502</h1>'));
  const origins = [
    (await bare({ 'x-understudy-site': 'home' })) as { origin?: string },
    (await bare({ 'x-azure-ref': '0abc', 'content-type': 'text/html' })) as { origin?: string },
    (await bare({ 'content-type': 'text/plain' })) as { origin?: string },
  ].map((outcome) => outcome.origin);
  assert.deepEqual(origins, ['gateway', 'front-door', 'unknown']);
});

test('cut before the answer: by a reset, by half a body, by silence until the deadline', async (t) => {
  const reset = await outcomesOf(t, (request) => request.socket.resetAndDestroy());
  assert.deepEqual([reset.kind, 'begun' in reset && reset.begun], ['cut-before-answer', false]);
  const half = await outcomesOf(
    t,
    (request, response) => {
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': 99,
        'x-understudy-site': 'home',
      });
      response.write('{"choices":', () => request.socket.destroy());
    },
    { streamShare: 0 },
  );
  assert.deepEqual([half.kind, 'begun' in half && half.begun], ['cut-before-answer', true]);
  assert.equal('site' in half && half.site, 'home');
  const silent = await outcomesOf(t, () => {}, { requestDeadlineMs: 30 });
  assert.equal(silent.kind, 'cut-before-answer');
});

test('what is still open when traffic stops for good is abandoned, and the wait for it ends', async () => {
  await using model = await testModel();
  model.vendor.faults.replace([specialFault('stall-stream', { value: 2 })]);
  const running = traffic(model.baseUrl, { streamShare: 1 });
  const waiting = assert.rejects(
    running.waitFor((summary) => summary.answered > 0),
    /ended before/,
  );
  while (model.vendor.ledger.effectsAfter(0).length < 4) await new Promise((resolve) => setImmediate(resolve));
  const summary = await running.stop({ graceMs: 0 });
  assert.deepEqual([summary.abandoned, summary.sent], [4, 4]);
  await waiting;
});

test('memory is bounded: rows beyond the limit are counted, not kept', async () => {
  await using model = await testModel();
  const running = traffic(model.baseUrl, { rowsMax: 5 });
  await running.waitFor((summary) => summary.answered >= 20);
  const summary = await running.stop();
  assert.equal(running.requests().length, 5);
  assert.equal(summary.rowsNotKept, summary.sent - 5);
});
