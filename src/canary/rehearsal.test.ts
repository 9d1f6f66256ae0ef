// The ladder is rehearsed rung by rung: the declared next one must answer, anything else is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base';
import type { Route } from '#stamp';
import { fakeGateway, type FakeGatewayOptions } from './testing/fake-gateway.ts';
import { fallbackRehearsal, rehearsalCases, rehearsalHeader } from './rehearsal.ts';

const clientKey = 'canary-key';
const route: Route = {
  id: 'chat',
  models: ['assistant'],
  ladder: [
    { rung: 'model', upstream: 'first' },
    { rung: 'other-region', upstream: 'second' },
    { rung: 'message', text: 'Back soon.' },
  ],
  deadline: '60s',
  attemptsPerRungMax: 2,
  retryWaitMax: '2s',
  capture: 'full',
  onJournalFailure: 'refuse',
  tools: [],
  mode: 'normal',
};
const withoutMessage: Route = { ...route, ladder: route.ladder.slice(0, 2) };
const serving: FakeGatewayOptions = { route, clientKey, say: () => 'ready' };

function rehearse(gatewayUrl: string, of: Route = route, key = clientKey) {
  return fallbackRehearsal({
    gatewayUrl,
    clientKey: key,
    route: of,
    clock: systemClock,
    signal: new AbortController().signal,
  });
}

test('each fault is rehearsed at each depth of the ladder', () => {
  assert.deepEqual(rehearsalCases(route).map(rehearsalHeader), [
    'rate-limit=first',
    'rate-limit=first, rate-limit=second',
    'outage=first',
    'outage=first, outage=second',
  ]);
  assert.deepEqual(
    rehearsalCases(withoutMessage).map(({ expected }) => (expected === 'error' ? expected : expected.rung)),
    ['other-region', 'error', 'other-region', 'error'],
  );
});

test('a gateway that climbs as declared passes every case', async (t) => {
  const gateway = await fakeGateway(t, serving);
  const findings = await rehearse(gateway.url);
  assert.deepEqual(
    findings.map((finding) => finding.verdict),
    ['pass', 'pass', 'pass', 'pass'],
  );
  assert.match(findings[1]?.detail ?? '', /message answered, as declared/);
});

test('without a message rung an OpenAI-shaped error is what must come', async (t) => {
  const gateway = await fakeGateway(t, { ...serving, route: withoutMessage });
  const findings = await rehearse(gateway.url, withoutMessage);
  assert.ok(findings.every((finding) => finding.verdict === 'pass'));
  const bare = await fakeGateway(t, { ...serving, raw: { status: 503, body: 'upstream down' } });
  const bareFindings = await rehearse(bare.url, withoutMessage);
  assert.match(bareFindings[1]?.detail ?? '', /without the OpenAI envelope/);
  assert.ok(bareFindings.every((finding) => finding.verdict === 'fail'));
});

test('a gateway that ignores the rehearsal, or says another message, fails', async (t) => {
  const deaf = await fakeGateway(t, { ...serving, ignoresRehearsal: true });
  const findings = await rehearse(deaf.url);
  assert.ok(findings.every((finding) => finding.verdict === 'fail'));
  assert.match(findings[0]?.detail ?? '', /model \(first\) answered, expected other-region \(second\)/);
  const other = { ...route, ladder: [...route.ladder.slice(0, 2), { rung: 'message' as const, text: 'Gone.' }] };
  const changed = await rehearse((await fakeGateway(t, { ...serving, route: other })).url);
  assert.deepEqual(
    changed.map((finding) => finding.verdict),
    ['pass', 'fail', 'pass', 'fail'],
  );
});

test('a client without the right, and a dead gateway, are errors of the rehearsal', async (t) => {
  const gateway = await fakeGateway(t, serving);
  const refused = await rehearse(gateway.url, route, 'stranger');
  assert.ok(refused.every((finding) => finding.verdict === 'error'));
  const dead = await rehearse('http://127.0.0.1:9');
  assert.ok(dead.every((finding) => finding.verdict === 'error' && finding.mend !== undefined));
});
