// The connector between two simulated vaults, with the faults a vault can have.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';
import { codeOf, Failure, sha256 } from '#base';
import type { Change, KeyVaultConnector } from '#connectors';
import type { Fault } from '../kit/mod.ts';
import { actContext, vaultsFixture, type VaultsFixture } from './testing.ts';

const context = { signal: new AbortController().signal };
let fixture: VaultsFixture;
let connector: KeyVaultConnector;
before(async () => {
  fixture = await vaultsFixture();
  connector = fixture.connector();
});
beforeEach(() => faults());
after(() => fixture.close());

function faults(...active: Fault[]): void {
  fixture.vaults.home.faults.replace([]);
  fixture.vaults.partner.faults.replace(active);
}

function change(key: string, action: Change['action'] = 'create'): Change {
  return { action, kind: 'secret', key, from: 'home', to: 'partner' };
}

async function digestAt(site: 'home' | 'partner', key: string): Promise<string | undefined> {
  const { artifacts } = await connector.inventory(site, 'leading', context);
  return artifacts.find((artifact) => artifact.key === key)?.digest;
}

function versionsAtPartner(name: string): number {
  return fixture.vaults.partner.ledger.effectsAfter(0, { type: 'secret-set' }).filter((row) => row.key === name).length;
}

void test('a secret travels with its attributes, and applying twice makes one version', async () => {
  const expiresOn = new Date(1_900_000_000_000);
  await fixture
    .official('home')
    .setSecret('carried', 'v', { contentType: 'text/plain', tags: { team: 'a' }, expiresOn });
  await connector.apply(change('carried'), actContext());
  await connector.apply(change('carried'), actContext());
  const there = await fixture.official('partner').getSecret('carried');
  assert.equal(there.value, 'v');
  assert.equal(there.properties.contentType, 'text/plain');
  assert.deepEqual(there.properties.tags, { team: 'a', 'understudy-key': 'carried' });
  assert.deepEqual(there.properties.expiresOn, expiresOn);
  assert.equal(versionsAtPartner('carried'), 1);
  assert.equal(await digestAt('home', 'carried'), await digestAt('partner', 'carried'));
  const [row] = fixture.vaults.partner.ledger.effectsAfter(0, { type: 'secret-set' });
  assert.equal(row?.epoch, '1.2');
});

void test('a change of attributes is drift, and is mended without a new version', async () => {
  const home = fixture.official('home');
  const set = await home.setSecret('attributes', 'v', { tags: { team: 'a' } });
  await connector.apply(change('attributes'), actContext());
  await home.updateSecretProperties('attributes', set.properties.version ?? '', { tags: { team: 'b' } });
  assert.notEqual(await digestAt('home', 'attributes'), await digestAt('partner', 'attributes'));
  await connector.apply(change('attributes', 'update'), actContext());
  assert.equal(await digestAt('home', 'attributes'), await digestAt('partner', 'attributes'));
  assert.equal(versionsAtPartner('attributes'), 1);
});

void test('a PUT whose answer was lost is looked up: no second version', async () => {
  await fixture.official('home').setSecret('lost-answer', 'v');
  // The first PUT is the unauthenticated one of the challenge; the second takes effect.
  faults({ kind: 'lose-answer', match: '^PUT /secrets/lost-answer', times: 1, skip: 1 });
  await fixture.connector().apply(change('lost-answer'), actContext());
  assert.equal(versionsAtPartner('lost-answer'), 1);
  assert.equal(await digestAt('home', 'lost-answer'), await digestAt('partner', 'lost-answer'));
});

void test('a vault that is down for a moment gets the secret at the second attempt, one that stays down a clear failure', async () => {
  await fixture.official('home').setSecret('flaky', 'v');
  faults({ kind: 'status', status: 503, headers: {}, body: '{}', match: '^PUT /secrets/flaky', times: 1 });
  await connector.apply(change('flaky'), actContext());
  assert.equal(versionsAtPartner('flaky'), 1);
  await fixture.official('home').setSecret('down', 'v');
  faults({ kind: 'refuse', match: '^PUT ' });
  const applying = connector.apply(change('down'), actContext());
  await assert.rejects(applying, (error) => codeOf(error) === 'KEY_VAULT_OUTCOME_UNKNOWN');
});

void test('a deleted secret of the same name is recovered, then brought up to date', async () => {
  const partner = fixture.official('partner');
  await partner.setSecret('collision', 'old');
  await (await partner.beginDeleteSecret('collision', { intervalInMs: 20 })).pollUntilDone();
  await fixture.official('home').setSecret('collision', 'new');
  await connector.apply(change('collision'), actContext());
  assert.equal((await partner.getSecret('collision')).value, 'new');
});

void test('a deletion happens only as a change that says so, and once', async () => {
  await fixture.official('partner').setSecret('extra', 'x');
  await connector.apply(change('extra', 'delete'), actContext());
  await connector.apply(change('extra', 'delete'), actContext());
  const deletions = fixture.vaults.partner.ledger.effectsAfter(0, { type: 'secret-deleted' });
  assert.equal(deletions.filter((row) => row.key === 'extra').length, 1);
});

void test('more than a page of secrets is listed whole; the comparison key never is', async () => {
  for (let index = 0; index < 27; index++) await fixture.official('home').setSecret(`many-${index}`, `v${index}`);
  const { artifacts } = await connector.inventory('home', 'leading', context);
  assert.equal(artifacts.filter((artifact) => artifact.key.startsWith('many-')).length, 27);
  assert.ok(!artifacts.some((artifact) => artifact.key === 'comparison-key'));
  const named = await fixture.connector({ secrets: ['many-3'] }).inventory('home', 'leading', context);
  assert.deepEqual(
    named.artifacts.map((artifact) => artifact.key),
    ['many-3'],
  );
});

void test('disabled, expired and unwritable dates are listed with the reason and not carried', async () => {
  const home = fixture.official('home');
  await home.setSecret('off', 'x', { enabled: false });
  await home.setSecret('past', 'x', { expiresOn: new Date(1_600_000_000_000) });
  await home.setSecret('early', 'x', { notBefore: new Date(2_000_000_000_000) });
  fixture.vaults.home.faults.replace([{ kind: 'special', name: 'enforce-dates' }]);
  const { artifacts } = await connector.inventory('home', 'leading', context);
  const of = (key: string) => artifacts.find((artifact) => artifact.key === key);
  assert.deepEqual([of('off')?.class, of('off')?.reason], ['listed', 'disabled']);
  assert.match(of('past')?.reason ?? '', /^expired on 2020-09-13/);
  assert.match(of('early')?.reason ?? '', /SecretNotYetValid/);
  fixture.vaults.home.faults.replace([]);
  await assert.rejects(
    connector.apply(change('past'), actContext()),
    (error) => codeOf(error) === 'KEY_VAULT_NOT_CARRIED',
  );
});

void test('equal values under two names do not show, and no value or plain digest of it shows anywhere', async () => {
  const value = 'the-one-value-that-must-not-show';
  const home = fixture.official('home');
  await home.setSecret('twin-a', value);
  await home.setSecret('twin-b', value);
  const inventory = await connector.inventory('home', 'leading', context);
  const digests = inventory.artifacts
    .filter((artifact) => artifact.key.startsWith('twin-'))
    .map(({ digest }) => digest);
  assert.equal(new Set(digests).size, 2);
  await connector.apply(change('twin-a'), actContext());
  const thrown: unknown[] = [];
  const echo: Fault = { kind: 'status', status: 400, headers: {}, body: `{"error":{"message":"${value}"}}` };
  for (const fault of [
    { kind: 'refuse', match: '^PUT ' },
    { ...echo, match: '^PUT ' },
  ] satisfies Fault[]) {
    faults(fault);
    await connector.apply(change('twin-b'), actContext()).catch((error: unknown) => thrown.push(error));
  }
  assert.equal(thrown.length, 2);
  const ledgers = Object.values(fixture.vaults).map(({ ledger }) => [ledger.askedAfter(0), ledger.effectsAfter(0)]);
  const seen = [
    JSON.stringify(inventory),
    JSON.stringify(ledgers),
    ...thrown.map((error) => inspect(error, { depth: 9 })),
  ];
  for (const text of seen) assert.ok(!text.includes(value), text.slice(0, 400));
  assert.ok(!seen[0]?.includes(sha256(value).slice(0, 16)));
});

void test('an act that lost its right is stopped before the wire, after the token was fetched', async () => {
  await fixture.official('home').setSecret('fenced', 'v');
  const fenced = actContext({
    assertMayAct() {
      throw new Failure('ACT_FENCED', 'the lease has run out');
    },
  });
  await assert.rejects(fixture.connector().apply(change('fenced'), fenced), (error) => codeOf(error) === 'ACT_FENCED');
  const puts = fixture.vaults.partner.ledger.askedAfter(0).filter((row) => row.path === '/secrets/fenced');
  assert.ok(!puts.some((row) => row.method === 'PUT'));
});

void test('the probe names what is missing, and notices comparison keys that differ', async () => {
  const probing = fixture.connector({ secrets: ['carried', 'nowhere'] });
  const findings = await probing.probe('partner', context);
  const verdicts = Object.fromEntries(findings.map(({ subject, verdict }) => [subject, verdict]));
  assert.equal(verdicts['secret carried'], 'pass');
  assert.equal(verdicts['secret nowhere'], 'fail');
  assert.equal(verdicts['comparison keys of both vaults'], 'pass');
  await fixture.official('home').setSecret('comparison-key', 'another-comparison-key-00000');
  const differing = await probing.probe('partner', context);
  assert.equal(differing.find(({ subject }) => subject === 'comparison keys of both vaults')?.verdict, 'fail');
  fixture.vaults.home.faults.replace([{ kind: 'refuse' }]);
  const alone = await probing.probe('partner', context);
  assert.ok(!alone.some(({ subject }) => subject === 'comparison keys of both vaults'));
  assert.equal(alone.find(({ subject }) => subject.startsWith('comparison key comparison-key'))?.verdict, 'pass');
});

void test('read gives a value, or a failure that says which secret of which vault', async () => {
  assert.equal(await connector.read('partner', 'carried', context), 'v');
  await assert.rejects(connector.read('partner', 'nothing-here', context), (error) => {
    return codeOf(error) === 'KEY_VAULT_NOT_FOUND' && /partner.*nothing-here/.test(String(error));
  });
});

void test('plain http to anything but loopback is refused before anything is sent', async () => {
  const insecure = fixture.connector({ partner: { url: 'http://vault.example' } });
  await assert.rejects(
    insecure.inventory('partner', 'following', context),
    (error) => codeOf(error) === 'KEY_VAULT_INSECURE',
  );
});
