// No-write mode, the right to act, and the rehearsal lane.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, drillKey, envelopeOf, messageRung, modelRungs, startFixture } from './testing/fixture.ts';

const tool = (name: string): object => ({ type: 'function', function: { name, parameters: {} } });
const withTools = (more: object = {}): object =>
  chat({ tools: [tool('look_up'), tool('refund'), tool('unknown')], ...more });
const toolNames = (body: Record<string, unknown> | undefined): unknown =>
  (body?.['tools'] as { function: { name: string } }[] | undefined)?.map((entry) => entry.function.name);
const drill = (faults: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${drillKey}`, 'x-understudy-rehearsal': faults },
});

test('with the right to act, write tools are offered under the epoch', async () => {
  await using fixture = await startFixture();
  const answer = await fixture.ask(withTools());
  assert.equal(answer.headers.get('x-understudy-mode'), null);
  assert.equal(answer.headers.get('x-understudy-epoch'), '1.4');
  assert.deepEqual(toolNames(fixture.first.calls[0]?.body), ['look_up', 'refund', 'unknown']);
  assert.equal(fixture.first.calls[0]?.headers['x-understudy-epoch'], '1.4');
});

test('a request without write tools is no act and carries no epoch', async () => {
  await using fixture = await startFixture();
  await fixture.ask(chat({ tools: [tool('look_up')] }));
  await fixture.ask(chat());
  assert.deepEqual(
    fixture.first.calls.map((call) => call.headers['x-understudy-epoch']),
    [undefined, undefined],
  );
});

test('without the right to act, or by declaration, write and unknown tools are withheld on every rung', async () => {
  for (const declared of [false, true]) {
    await using fixture = await startFixture({ route: { mode: declared ? 'no-write' : 'normal' } });
    fixture.authority.mayAct = declared;
    await fixture.first.close();
    const answer = await fixture.ask(withTools());
    assert.equal(answer.headers.get('x-understudy-mode'), 'no-write');
    assert.deepEqual(toolNames(fixture.other.calls[0]?.body), ['look_up']);
    assert.equal(fixture.other.calls[0]?.headers['x-understudy-epoch'], undefined);
    const open = fixture.journal.of('open')[0]?.meta;
    assert.deepEqual([open?.['mode'], open?.['withheldTools']], ['no-write', ['refund', 'unknown']]);
  }
});

test('a tool hidden behind a key that stands twice is withheld too', async () => {
  await using fixture = await startFixture();
  fixture.authority.mayAct = false;
  const twice = `{"model":"assistant","messages":[{}],"tools":[${JSON.stringify(tool('refund'))}],"Tools":[${JSON.stringify(tool('refund'))}],"tools":[${JSON.stringify(tool('look_up'))}]}`;
  await fixture.ask(twice);
  assert.ok(!fixture.first.calls[0]?.text.includes('refund'));
  assert.deepEqual(toolNames(fixture.first.calls[0]?.body), ['look_up']);
});

test('insisting on a withheld tool is refused, journaled, and calls nobody', async () => {
  await using fixture = await startFixture();
  fixture.authority.mayAct = false;
  const answer = await fixture.ask(withTools({ tool_choice: tool('refund') }));
  assert.deepEqual([answer.status, (await envelopeOf(answer)).code], [400, 'tool_withheld']);
  assert.equal(fixture.first.calls.length, 0);
  assert.equal(fixture.journal.of('close')[0]?.meta['outcome'], 'refused');
});

test('the right to act that ends before the request is written: not written, asked again without write tools', async () => {
  await using fixture = await startFixture();
  const { authority } = fixture;
  // True when the mode is decided, false in the turn of the write.
  let asked = 0;
  Object.defineProperty(authority, 'mayAct', { get: () => ++asked <= 1 });
  const answer = await fixture.ask(withTools());
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('x-understudy-mode'), 'no-write');
  assert.equal(fixture.first.calls.length, 1);
  assert.deepEqual(toolNames(fixture.first.calls[0]?.body), ['look_up']);
  const attempts = fixture.journal.of('close')[0]?.meta['attempts'] as { outcome: string; error?: string }[];
  assert.deepEqual(
    attempts.map((attempt) => attempt.error),
    ['right_to_act_ended', undefined],
  );
});

test('an epoch that moved before the write is the same', async () => {
  await using fixture = await startFixture();
  let asked = 0;
  Object.defineProperty(fixture.authority, 'epoch', { get: () => ({ generation: 1, number: ++asked <= 2 ? 4 : 5 }) });
  await fixture.ask(withTools());
  assert.deepEqual(toolNames(fixture.first.calls[0]?.body), ['look_up']);
});

test('a standby or fenced site still answers; /readyz tells, a lapsed lease alone does not', async () => {
  await using fixture = await startFixture();
  const ready = async (): Promise<number> => (await fetch(`${fixture.url}/readyz`)).status;
  assert.equal(await ready(), 200);
  fixture.authority.mayAct = false;
  assert.equal(await ready(), 200);
  fixture.authority.role = 'unknown';
  fixture.authority.epoch = undefined;
  assert.equal(await ready(), 200);
  for (const role of ['standby', 'fenced'] as const) {
    fixture.authority.role = role;
    assert.equal(await ready(), 503);
    const answer = await fixture.ask(chat());
    assert.deepEqual(
      [answer.status, answer.headers.get('x-understudy-mode'), answer.headers.get('x-understudy-epoch')],
      [200, 'no-write', 'none'],
    );
  }
  assert.equal((await fetch(`${fixture.url}/livez`)).status, 200);
});

test('rehearsed faults: the declared rung answers, nothing reaches the upstream, production stays as it was', async () => {
  await using fixture = await startFixture({
    route: { ladder: [...modelRungs, messageRung] },
    breaker: { callsMin: 1 },
  });
  const before = fixture.gateway.state().lanes.production;
  const one = await fixture.ask(withTools(), drill('rate-limit=first'));
  assert.equal(one.headers.get('x-understudy-rung'), 'other-region');
  // The rehearsed 429 asks for a short wait: the retry in place is rehearsed too.
  assert.equal(one.headers.get('x-understudy-attempts'), '3');
  assert.equal(one.headers.get('x-understudy-mode'), 'no-write');
  assert.deepEqual(toolNames(fixture.other.calls[0]?.body), ['look_up']);
  const all = await fixture.ask(chat({ stream: true }), drill('outage=first, outage=other,rate-limit=backup'));
  assert.equal(all.headers.get('x-understudy-rung'), 'message');
  assert.equal(fixture.first.calls.length, 0);
  assert.deepEqual(fixture.gateway.state().lanes.production, before);
  assert.deepEqual(fixture.gateway.state().lanes.rehearsal.byRung, { 'other-region': 1, message: 1 });
  assert.deepEqual(
    new Set(fixture.journal.of('open').map((open) => open.meta['environment'])),
    new Set(['understudy-drill']),
  );
});

test('one rehearsal does not spoil the next: rehearsed faults open no breaker', async () => {
  await using fixture = await startFixture({ breaker: { callsMin: 1 } });
  for (const [faults, rung] of [
    ['outage=first, outage=other', 'backup'],
    ['outage=first', 'other-region'],
    ['canary', 'model'],
  ] as const) {
    const answer = await fixture.ask(chat(), drill(faults));
    assert.equal(answer.headers.get('x-understudy-rung'), rung, faults);
  }
});

test('a rehearsal without faults calls the model, without write tools', async () => {
  await using fixture = await startFixture();
  const answer = await fixture.ask(withTools(), drill('canary'));
  assert.deepEqual(
    [answer.headers.get('x-understudy-rung'), answer.headers.get('x-understudy-mode')],
    ['model', 'no-write'],
  );
});

test('rehearsals are for those who may, and name what exists', async () => {
  await using fixture = await startFixture();
  const refused = await fixture.ask(chat(), { headers: { 'x-understudy-rehearsal': 'canary' } });
  assert.deepEqual([refused.status, (await envelopeOf(refused)).code], [403, 'rehearsal_not_allowed']);
  for (const [faults, message] of [
    ['outage=nobody', /"nobody"/],
    ['slow=first', /"slow=first"/],
    ['', /none of/],
  ] as const) {
    const answer = await fixture.ask(chat(), drill(faults));
    const error = await envelopeOf(answer);
    assert.deepEqual([answer.status, error.code], [400, 'invalid_header']);
    assert.match(error.message, message);
  }
  assert.equal(fixture.first.calls.length, 0);
});
