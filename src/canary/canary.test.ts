// The canary against a gateway that answers, answers otherwise, answers from elsewhere, refuses, and hangs.

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ManualClock, systemClock, type Clock } from '#base';
import type { Route, Stamp } from '#stamp';
import { runCanary, type CanaryOptions, type CanaryResult } from './canary.ts';
import { fakeGateway, type FakeGatewayOptions } from './testing/fake-gateway.ts';

const clientKey = 'canary-key';
const route: Route = {
  id: 'chat',
  models: ['assistant'],
  ladder: [
    { rung: 'model', upstream: 'first' },
    { rung: 'backup', upstream: 'cheap' },
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
const user = (content: string) => [{ role: 'user' as const, content }];
const prompts: Stamp['canary']['prompts'] = [
  { id: 'word', compare: 'exact', messages: user('Reply with the word ready.') },
  { id: 'sum', compare: 'normalised', messages: user('What is 2 + 2?') },
];
const stamp = { gateway: { routes: [route] }, canary: { route: 'chat', prompts } } as unknown as Stamp;
const say = (prompt: string): string => (prompt.includes('ready') ? 'ready' : 'Four');

interface Scene {
  readonly gateway?: Partial<FakeGatewayOptions>;
  readonly canary?: Partial<CanaryOptions>;
  readonly clock?: Clock;
}

async function play(t: TestContext, scene: Scene = {}): Promise<CanaryResult> {
  const gateway = await fakeGateway(t, { route, clientKey, say, ...scene.gateway });
  return runCanary({
    stamp,
    gatewayUrl: gateway.url,
    clientKey,
    mode: 'compare',
    clock: scene.clock ?? systemClock,
    signal: new AbortController().signal,
    findTrace: () => Promise.resolve(true),
    traceDeadlineMs: 0,
    ...scene.canary,
  });
}

async function recorded(t: TestContext): Promise<NonNullable<CanaryResult['recorded']>> {
  const result = await play(t, { canary: { mode: 'record' } });
  assert.ok(result.recorded);
  return result.recorded;
}

test('recorded answers are met again: pass, with who spoke and the trace', async (t) => {
  const baseline = await recorded(t);
  const gateway = await fakeGateway(t, { route, clientKey, say: (prompt) => say(prompt).replace('F', 'f') });
  const result = await play(t, { canary: { baseline, gatewayUrl: gateway.url } });
  assert.equal(result.verdict, 'pass');
  assert.deepEqual(
    result.prompts.map((entry) => [entry.prompt, entry.rung, entry.upstream, entry.traceFound]),
    [
      ['word', 'model', 'first', true],
      ['sum', 'model', 'first', true],
    ],
  );
  assert.equal(result.prompts[1]?.traceId, '2'.padStart(32, '0'));
  assert.deepEqual(gateway.requests[0], {
    rehearsal: 'canary',
    model: 'assistant',
    prompt: 'Reply with the word ready.',
  });
});

test('another answer fails and says where it differs and what else changed', async (t) => {
  const baseline = await recorded(t);
  const other = { ...baseline, prompts: { ...baseline.prompts } };
  const word = other.prompts['word'];
  assert.ok(word);
  other.prompts['word'] = { ...word, output: 'Ready', systemFingerprint: 'fp_0' };
  const result = await play(t, { canary: { baseline: other } });
  assert.deepEqual(
    result.prompts.map((entry) => entry.verdict),
    ['fail', 'pass'],
  );
  assert.match(result.findings[0]?.detail ?? '', /differs from character 1.*system fingerprint fp_0 to fp_1/);
});

test('without a baseline nothing was shown: inconclusive', async (t) => {
  const result = await play(t);
  assert.equal(result.verdict, 'inconclusive');
  assert.match(result.findings[0]?.mend ?? '', /--record-canary/);
});

test('an answer from another rung is visible, and never recorded', async (t) => {
  const baseline = await recorded(t);
  const onBackup = { environmentHeader: 'outage=first' };
  const compared = await play(t, { canary: { baseline, ...onBackup } });
  assert.equal(compared.verdict, 'pass');
  assert.match(compared.findings[0]?.detail ?? '', /backup \(cheap\) answered, not the first rung/);
  const recording = await play(t, { canary: { mode: 'record', ...onBackup } });
  assert.deepEqual([recording.verdict, recording.recorded], ['fail', undefined]);
});

test('the message rung is no answer of a model', async (t) => {
  const baseline = await recorded(t);
  const result = await play(t, { canary: { baseline, environmentHeader: 'outage=first, outage=cheap' } });
  assert.equal(result.verdict, 'fail');
  assert.match(result.findings[0]?.detail ?? '', /message rung/);
});

test('a cut answer fails even when its text is right', async (t) => {
  const baseline = await recorded(t);
  const result = await play(t, { gateway: { finishReason: 'length' }, canary: { baseline } });
  assert.equal(result.verdict, 'fail');
});

test('a trace that never shows up fails at the deadline; one that cannot be read is inconclusive', async (t) => {
  const baseline = await recorded(t);
  const clock = new ManualClock();
  const asked: string[] = [];
  const running = play(t, {
    clock,
    canary: { baseline, traceDeadlineMs: 10_000, findTrace: (traceId) => Promise.resolve(asked.push(traceId) < 0) },
  });
  while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(10_000);
  const lost = await running;
  assert.equal(lost.verdict, 'fail');
  assert.match(lost.findings[0]?.detail ?? '', /was not found within 10000 ms/);
  assert.ok(asked.length > 4, 'it asked again while it waited');

  const unread = await play(t, {
    canary: { baseline, findTrace: () => Promise.reject(Object.assign(new Error('x'), { code: 'LANGFUSE_DOWN' })) },
  });
  assert.equal(unread.verdict, 'inconclusive');
  const unnamed = await play(t, { gateway: { withoutTrace: true }, canary: { baseline } });
  assert.equal(unnamed.verdict, 'inconclusive');
});

test('refusals, nonsense and silence are told apart', async (t) => {
  const baseline = await recorded(t);
  const verdictOf = async (scene: Scene): Promise<string> =>
    (await play(t, { ...scene, canary: { baseline, ...scene.canary } })).verdict;
  assert.equal(await verdictOf({ canary: { clientKey: 'stranger' } }), 'error');
  assert.equal(await verdictOf({ gateway: { raw: { status: 503, body: '{}' } } }), 'fail');
  assert.equal(await verdictOf({ gateway: { raw: { status: 200, body: '<html>' } } }), 'fail');
  assert.equal(await verdictOf({ canary: { gatewayUrl: 'http://127.0.0.1:9' } }), 'error');
});

test('a hanging gateway is given up at the deadline, and not asked again', async (t) => {
  const clock = new ManualClock();
  const gateway = await fakeGateway(t, { route, clientKey, say, hangs: true });
  const running = play(t, { clock, canary: { gatewayUrl: gateway.url } });
  while (gateway.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(65_000);
  const result = await running;
  assert.equal(result.verdict, 'error');
  assert.equal(gateway.requests.length, 1);
  assert.match(result.findings[1]?.detail ?? '', /TIMEOUT/);
});
