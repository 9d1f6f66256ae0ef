// The connector ships spans and reads them back, tells every kind of failure apart, and probes a site.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Failure } from '#base';
import { reading, secretValue, startPair } from './testing.ts';

const startMs = Date.UTC(2026, 10, 23, 12);
const traceOf = (number: number): string => number.toString(16).padStart(32, '0');

function exportOf(...numbers: number[]): string {
  const spans = numbers.map((number) => ({
    traceId: traceOf(number),
    spanId: number.toString(16).padStart(16, '0'),
    name: `chat ${number}`,
    startTimeUnixNano: `${startMs + number}000000`,
    endTimeUnixNano: `${startMs + number + 5}000000`,
    attributes: [
      { key: 'langfuse.environment', value: { stringValue: 'understudy-drill' } },
      { key: 'langfuse.observation.output', value: { stringValue: 'said' } },
      { key: 'langfuse.observation.metadata.exchange', value: { stringValue: `xc_${number}` } },
    ],
  }));
  return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ scope: { name: 's' }, spans }] }] });
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => new Failure('RESOLVED', 'it resolved'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Failure, String(error));
  assert.ok(!JSON.stringify([error.message, error.hint, error.details]).includes(secretValue));
  return error;
}

void test('what was exported is read back by window and by trace, page by page, each once', async (t) => {
  const { connector } = await startPair(t, { limits: { observationsPerPage: 3 } });
  await connector.export('partner', exportOf(...numbers(1, 11)), reading);
  await connector.export('partner', exportOf(...numbers(1, 4)), reading);
  const window = { fromMs: startMs + 2, toMs: startMs + 10 };
  const found = await connector.observations('partner', window, reading);
  assert.deepEqual(found.map(({ traceId }) => traceId).toSorted(), numbers(2, 10).map(traceOf));
  const [one] = await connector.observationsOfTrace('partner', traceOf(3), reading);
  assert.equal(one?.startTimeMs, startMs + 3);
  assert.equal(one?.environment, 'understudy-drill');
  assert.equal(one?.output, 'said');
  assert.equal(one?.metadata?.['exchange'], 'xc_3');
  assert.deepEqual(await connector.observations('home', window, reading), []);
});

void test('a Langfuse that answers 200 and stores nothing is found out by reading', async (t) => {
  const { partner, connector } = await startPair(t);
  partner.faults.replace([{ kind: 'special', name: 'accept-and-drop' }]);
  await connector.export('partner', exportOf(1), reading);
  assert.deepEqual(await connector.observationsOfTrace('partner', traceOf(1), reading), []);
});

void test('refusals of an export are told apart by status', async (t) => {
  const { partner, connector } = await startPair(t);
  const rejected = await failureOf(connector.export('partner', exportOf(1).replace('"spanId"', '"id"'), reading));
  assert.equal(rejected.code, 'LANGFUSE_REJECTED');
  assert.match(rejected.message, /spanId:absent/);
  const expected: [number, Record<string, string>, string, object][] = [
    [429, { 'retry-after': '7' }, 'LANGFUSE_BUSY', { status: 429, retryAfterMs: 7_000 }],
    [413, {}, 'LANGFUSE_TOO_LARGE', { status: 413 }],
    [503, {}, 'LANGFUSE_FAILED', { status: 503 }],
    [403, {}, 'LANGFUSE_UNAUTHORIZED', { status: 403 }],
  ];
  for (const [status, headers, code, details] of expected) {
    partner.faults.replace([{ kind: 'status', status, headers, body: '{"message":"no"}', times: 1 }]);
    const failure = await failureOf(connector.export('partner', exportOf(1), reading));
    assert.equal(failure.code, code);
    assert.deepEqual(failure.details, details);
  }
  assert.deepEqual(partner.ledger.effectsAfter(0), []);
});

void test('silence is a timeout, a reset is unreachable, and the caller’s own abort stays its own', async (t) => {
  const { partner, connector } = await startPair(t, { limits: { exportDeadlineMs: 100, readDeadlineMs: 100 } });
  partner.faults.replace([{ kind: 'black-hole' }]);
  assert.equal((await failureOf(connector.export('partner', exportOf(1), reading))).code, 'LANGFUSE_TIMEOUT');
  const hung = connector.observationsOfTrace('partner', traceOf(1), reading);
  assert.equal((await failureOf(hung)).code, 'LANGFUSE_TIMEOUT');
  const caller = new AbortController();
  const aborted = connector.observationsOfTrace('partner', traceOf(1), { signal: caller.signal });
  caller.abort(new Failure('MINE', 'the caller gave up'));
  assert.equal((await failureOf(aborted)).code, 'MINE');
  partner.faults.replace([{ kind: 'refuse' }]);
  assert.equal((await failureOf(connector.export('partner', exportOf(1), reading))).code, 'LANGFUSE_UNREACHABLE');
  const reset = connector.observationsOfTrace('partner', traceOf(1), reading);
  assert.equal((await failureOf(reset)).code, 'LANGFUSE_UNREACHABLE');
});

void test('an export whose answer was lost is repeated and readable once', async (t) => {
  const { partner, connector } = await startPair(t);
  partner.faults.replace([{ kind: 'lose-answer', match: '^POST', times: 1 }]);
  assert.equal((await failureOf(connector.export('partner', exportOf(1), reading))).next, 'retry');
  await connector.export('partner', exportOf(1), reading);
  assert.equal((await connector.observationsOfTrace('partner', traceOf(1), reading)).length, 1);
});

void test('a read waits out a 429 that says how long, and gives up on one that asks for too much', async (t) => {
  const { partner, connector } = await startPair(t, { limits: { busyAttemptsMax: 3, busyWaitMsMax: 1_000 } });
  await connector.export('partner', exportOf(1), reading);
  const busy = { kind: 'status' as const, status: 429, body: '', match: '^GET' };
  partner.faults.replace([{ ...busy, headers: { 'retry-after': '0' }, times: 2 }]);
  assert.equal((await connector.observationsOfTrace('partner', traceOf(1), reading)).length, 1);
  partner.faults.replace([{ ...busy, headers: { 'retry-after': '0' } }]);
  const asked = partner.ledger.askedAfter(0).length;
  const worn = await failureOf(connector.observationsOfTrace('partner', traceOf(1), reading));
  assert.equal(worn.code, 'LANGFUSE_BUSY');
  assert.equal(partner.ledger.askedAfter(0).length, asked + 3);
  partner.faults.replace([{ ...busy, headers: { 'retry-after': '60' } }]);
  const long = await failureOf(connector.observationsOfTrace('partner', traceOf(1), reading));
  assert.equal(long.details['retryAfterMs'], 60_000);
});

void test('a page that is not Langfuse is not believed', async (t) => {
  const proxy = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>please sign in</html>');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const partnerUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { connector } = await startPair(t, { partnerUrl });
  for (const call of [
    () => connector.export('partner', exportOf(1), reading),
    () => connector.observationsOfTrace('partner', traceOf(1), reading),
    () => connector.inventory('partner', 'following', reading),
    () => connector.health('partner', reading),
  ]) {
    assert.equal((await failureOf(call())).code, 'LANGFUSE_UNEXPECTED');
  }
  const findings = await connector.probe('partner', reading);
  assert.ok(findings.some(({ verdict }) => verdict === 'fail'));
});

void test('a usable site passes its probe, in a known mode', async (t) => {
  const { connector } = await startPair(t);
  const findings = await connector.probe('home', reading);
  assert.deepEqual(
    findings.map(({ verdict, detail }) => [verdict, detail]),
    [
      ['pass', 'version 4.16.0'],
      ['pass', 'takes calls'],
      ['pass', 'project P (p)'],
      ['pass', 'can be listed'],
      ['pass', 'writes in mode events_only'],
    ],
  );
  assert.equal(await connector.mode('home', reading), 'events_only');
});

void test('a probe names what is wrong and how to mend it: keys, silence, absence', async (t) => {
  const wrong = await startPair(t, { secret: 'sk-lf-wrong' });
  const refused = await wrong.connector.probe('home', reading);
  assert.deepEqual(
    refused.map(({ verdict }) => verdict),
    ['pass', 'pass', 'fail', 'fail', 'fail'],
  );
  assert.match(refused[2]?.mend ?? '', /publicKey and secretKey/);
  assert.ok(!JSON.stringify(refused).includes('sk-lf-wrong'));
  const frozen = await startPair(t, { limits: { probeDeadlineMs: 100 } });
  frozen.home.faults.replace([{ kind: 'black-hole', match: 'projects|prompts|traces' }]);
  const hung = await frozen.connector.probe('home', reading);
  assert.deepEqual(
    hung.map(({ verdict }) => verdict),
    ['pass', 'pass', 'fail', 'fail', 'fail'],
  );
  assert.match(hung[2]?.detail ?? '', /LANGFUSE_TIMEOUT/);
  frozen.home.faults.replace([{ kind: 'refuse' }]);
  for (const { verdict, mend } of await frozen.connector.probe('home', reading)) {
    assert.equal(verdict, 'fail');
    assert.ok(mend);
  }
});
