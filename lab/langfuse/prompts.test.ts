// The connector carries prompts between two lab Langfuses: numbers, labels, tags and references arrive, applying twice
// changes nothing, a lost answer makes no twin, and what numbering forbids is refused and never overwritten.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, Failure, systemClock } from '#base';
import type { Change } from '#connectors';
import { acting, ask, create, driftOf, reading, startPair, sync, versionsOf, writesTo } from './testing.ts';

const change = (kind: string, key: string): Change => ({ action: 'create', kind, key, from: 'home', to: 'partner' });

async function codeOfRejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'RESOLVED',
    (error: unknown) => codeOf(error),
  );
}

void test('versions, labels, tags, chat prompts and folders arrive; a second sync writes nothing', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'f/greet ü', 'Hello', { labels: ['production'], tags: ['x'], commitMessage: 'first' });
  await create(home, 'f/greet ü', 'Hi', { config: { temperature: 0 }, labels: ['staging'] });
  await create(home, 'chat', [{ role: 'system', content: 'Be kind' }], { type: 'chat', labels: ['production'] });
  assert.equal((await sync(connector)).length, 5);
  for (const name of ['f/greet ü', 'chat'])
    assert.deepEqual(await versionsOf(partner, name), await versionsOf(home, name));
  const writes = writesTo(partner);
  assert.deepEqual(await sync(connector), []);
  for (const key of ['f/greet ü@1', 'f/greet ü@2']) await connector.apply(change('prompt-version', key), acting());
  await connector.apply(change('prompt-labels', 'f/greet ü'), acting());
  assert.equal(writesTo(partner), writes);
  assert.equal(writesTo(home), 0);
});

void test('twelve versions keep their numbers though their keys sort otherwise', async (t) => {
  const { home, partner, connector } = await startPair(t);
  for (let number = 1; number <= 12; number++) await create(home, 'many', `v${number}`);
  await sync(connector);
  assert.deepEqual(await versionsOf(partner, 'many'), await versionsOf(home, 'many'));
});

void test('a gap in the numbers is kept by placeholders that are gone afterwards', async (t) => {
  const { home, partner, connector } = await startPair(t);
  for (let number = 1; number <= 4; number++) await create(home, 'gap', `v${number}`);
  for (const version of [1, 3]) await ask(home, 'DELETE', `v2/prompts/gap?version=${version}`);
  await sync(connector);
  assert.deepEqual(
    (await versionsOf(partner, 'gap')).map(([number, prompt]) => [number, prompt]),
    [
      [2, 'v2'],
      [4, 'v4'],
    ],
  );
  assert.deepEqual(await driftOf(connector), []);
});

void test('what a prompt contains goes first, with the label it asks for', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'zz-part', 'inner', { labels: ['production'] });
  await create(home, 'yy-part', 'pinned');
  const composed = '@@@langfusePrompt:name=zz-part|label=production@@@ @@@langfusePrompt:name=yy-part|version=1@@@';
  await create(home, 'aa-whole', composed, { labels: ['production'] });
  await sync(connector);
  const resolved = (await ask(partner, 'GET', 'v2/prompts/aa-whole')) as { prompt: string };
  assert.equal(resolved.prompt, 'inner pinned');
  assert.deepEqual(await driftOf(connector), []);
});

void test('a create whose answer was lost makes no twin', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'p', 'one');
  await create(home, 'p', 'two');
  partner.faults.replace([{ kind: 'lose-answer', match: '^POST /api/public/v2/prompts', times: 1 }]);
  await sync(connector);
  assert.deepEqual(await versionsOf(partner, 'p'), await versionsOf(home, 'p'));
  assert.equal(partner.ledger.effectsAfter(0, { type: 'prompt-created' }).length, 2);
});

for (const fault of [
  { kind: 'refuse' as const },
  { kind: 'black-hole' as const },
  { kind: 'status' as const, status: 500, headers: {}, body: '' },
]) {
  void test(`a create that meets ${fault.kind} is looked up, not repeated blindly, and heals on the next sync`, async (t) => {
    const { home, partner, connector } = await startPair(t, { limits: { writeDeadlineMs: 150 } });
    await create(home, 'p', 'one');
    partner.faults.replace([{ ...fault, match: '^POST', times: 1 }]);
    const error = await connector.apply(change('prompt-version', 'p@1'), acting()).catch((thrown: unknown) => thrown);
    assert.equal(codeOf(error), 'LANGFUSE_OUTCOME_UNKNOWN');
    assert.equal((error as Failure).next, 'retry');
    await sync(connector);
    assert.deepEqual(await versionsOf(partner, 'p'), await versionsOf(home, 'p'));
  });
}

void test('another content at the same number is a conflict, and stays as it is', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'p', 'ours', { labels: ['production'] });
  await create(partner, 'p', 'theirs');
  const error = await connector.apply(change('prompt-version', 'p@1'), acting()).catch((thrown: unknown) => thrown);
  assert.equal(codeOf(error), 'PROMPT_VERSION_CONFLICT');
  assert.ok((error as Failure).hint);
  const labels = connector.apply(change('prompt-labels', 'p'), acting());
  assert.equal(await codeOfRejection(labels), 'PROMPT_VERSION_CONFLICT', 'no label ends on another content');
  assert.deepEqual(await versionsOf(partner, 'p'), [[1, 'theirs', ['latest']]]);
});

void test('a number that the target has passed is a conflict', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'p', 'one');
  await create(partner, 'p', 'other');
  await create(partner, 'p', 'one');
  await ask(partner, 'DELETE', 'v2/prompts/p?version=1');
  assert.equal(
    await codeOfRejection(connector.apply(change('prompt-version', 'p@1'), acting())),
    'PROMPT_VERSION_CONFLICT',
  );
  assert.equal(writesTo(partner), 0);
});

void test('a type that was changed by deleting the name is refused, not bent', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(partner, 'p', 'text');
  await create(home, 'p', [{ role: 'user', content: 'a' }], { type: 'chat' });
  await create(home, 'p', [{ role: 'user', content: 'b' }], { type: 'chat' });
  assert.equal(await codeOfRejection(connector.apply(change('prompt-version', 'p@2'), acting())), 'LANGFUSE_REJECTED');
});

void test('labels move, labels vanish and tags change, without a version left behind', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'p', 'one', { labels: ['production', 'old'], tags: ['a'] });
  await create(home, 'p', 'two');
  await sync(connector);
  await create(home, 'p', 'three', { labels: ['old', 'production'], tags: ['b'] });
  await ask(home, 'PATCH', 'v2/prompts/p/versions/2', { newLabels: ['production'] });
  await ask(home, 'DELETE', 'v2/prompts/p?version=3'); // takes the label `old` with it
  assert.deepEqual(
    (await sync(connector)).map(({ kind, key }) => [kind, key]),
    [['prompt-labels', 'p']],
  );
  assert.deepEqual(await versionsOf(partner, 'p'), await versionsOf(home, 'p'));
  assert.deepEqual(await driftOf(connector), []);
});

void test('a placeholder that a killed sync left behind is drift, and is cleared', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'p', 'one', { labels: ['gone'] });
  await sync(connector);
  await create(home, 'p', 'two', { labels: ['gone'] });
  await ask(home, 'DELETE', 'v2/prompts/p?version=2');
  partner.faults.replace([{ kind: 'refuse', match: '^DELETE', times: 1 }]);
  assert.equal(await codeOfRejection(sync(connector)), 'LANGFUSE_UNREACHABLE');
  assert.equal((await versionsOf(partner, 'p')).length, 2);
  await create(home, 'p', 'two again');
  await sync(connector);
  assert.deepEqual(await versionsOf(partner, 'p'), await versionsOf(home, 'p'));
  assert.deepEqual(await driftOf(connector), []);
});

void test('a label that a prompt of the standby stands on is given back, and said', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'p', 'one');
  await sync(connector);
  await ask(partner, 'PATCH', 'v2/prompts/p/versions/1', { newLabels: ['used'] });
  await create(partner, 'only-there', '@@@langfusePrompt:name=p|label=used@@@');
  assert.equal(await codeOfRejection(connector.apply(change('prompt-labels', 'p'), acting())), 'PROMPT_IN_USE');
  assert.deepEqual(await versionsOf(partner, 'p'), [[1, 'one', ['latest', 'used']]]);
});

void test('deletions, when declared, take the versions and then nothing is left', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'p', 'one', { labels: ['production'] });
  await create(home, 'p', 'two');
  await sync(connector);
  await ask(home, 'DELETE', 'v2/prompts/p?version=2');
  assert.deepEqual(await driftOf(connector), [], 'what only the standby has is not carried away by itself');
  await sync(connector, { deletions: true });
  assert.deepEqual(await versionsOf(partner, 'p'), await versionsOf(home, 'p'));
  await ask(home, 'DELETE', 'v2/prompts/p');
  await sync(connector, { deletions: true });
  assert.deepEqual(await versionsOf(partner, 'p'), []);
  await connector.apply({ ...change('prompt-version', 'p@1'), action: 'delete' }, acting());
});

void test('without the right to act nothing is written; with it each write names its epoch and act', async (t) => {
  const { home, partner, connector } = await startPair(t);
  await create(home, 'p', 'one', { labels: ['production'] });
  const fenced = acting(() => {
    throw new Failure('ACT_FENCED', 'the lease has run out');
  });
  assert.equal(await codeOfRejection(connector.apply(change('prompt-version', 'p@1'), fenced)), 'ACT_FENCED');
  assert.equal(partner.ledger.askedAfter(0).filter(({ method }) => method !== 'GET').length, 0);
  await sync(connector);
  const writes = partner.ledger.askedAfter(0).filter(({ method }) => method !== 'GET');
  assert.deepEqual(
    writes.map(({ method, epoch, act }) => [method, epoch, act]),
    [
      ['POST', '1.7', 'run_1/prompts/1.7'],
      ['PATCH', '1.7', 'run_1/prompts/1.7'],
    ],
  );
});

void test('a quiet name costs no read of its own, a changed one does', async (t) => {
  const later = { ...systemClock, wallMs: () => systemClock.wallMs() + 120_000 }; // past the marker's doubt
  const { home, connector } = await startPair(t, { clock: later });
  await create(home, 'p', 'one');
  await create(home, 'q', 'one');
  const first = await connector.inventory('home', 'leading', reading);
  const asked = home.ledger.askedAfter(0).length;
  assert.deepEqual((await connector.inventory('home', 'leading', reading)).artifacts, first.artifacts);
  assert.equal(home.ledger.askedAfter(0).length, asked + 1);
  await create(home, 'q', 'two', { labels: ['production'] });
  const changed = await connector.inventory('home', 'leading', reading);
  assert.deepEqual(
    changed.artifacts.map(({ kind, key }) => `${kind} ${key}`),
    ['prompt-version p@1', 'prompt-labels p', 'prompt-version q@1', 'prompt-version q@2', 'prompt-labels q'],
  );
  assert.equal(home.ledger.askedAfter(0).length, asked + 1 + 1 + 1 + 2);
});

void test('more than a page of names is listed whole', async (t) => {
  const { home, connector } = await startPair(t);
  for (let number = 0; number < 130; number++) await create(home, `n${number}`, 'x');
  assert.equal((await connector.inventory('home', 'leading', reading)).artifacts.length, 260);
});
