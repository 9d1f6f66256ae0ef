// The official client judges the simulated vault.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { vaultsFixture, type VaultsFixture } from './testing.ts';

let fixture: VaultsFixture;
before(async () => {
  fixture = await vaultsFixture();
});
after(() => fixture.close());

async function refusal(call: Promise<unknown>): Promise<[number | undefined, string | undefined]> {
  const thrown = await call.then(
    () => assert.fail('the vault accepted'),
    (error: {
      statusCode?: number;
      code?: string;
      details?: { error?: { code?: string; innerError?: { code?: string } } };
    }) => error,
  );
  const error = thrown.details?.error;
  return [thrown.statusCode, error?.innerError?.code ?? error?.code ?? thrown.code];
}

void test('the first call is unauthenticated and challenged, then the same call succeeds', async () => {
  const vault = fixture.official('home');
  await vault.setSecret('challenged', 'v1', { contentType: 'text/plain', tags: { team: 'genai' } });
  const asked = fixture.vaults.home.ledger.askedAfter(0).filter((row) => row.path === '/secrets/challenged');
  assert.deepEqual(
    asked.map((row) => [row.method, row.status, row.principal]),
    [
      ['PUT', 401, ''],
      ['PUT', 200, 'stamp-app'],
    ],
  );
  const read = await vault.getSecret('challenged');
  assert.deepEqual(
    [read.value, read.properties.contentType, read.properties.tags],
    ['v1', 'text/plain', { team: 'genai' }],
  );
});

void test('each set is a new version; an update changes attributes and no value', async () => {
  const vault = fixture.official('home');
  const first = await vault.setSecret('versioned', 'one');
  const second = await vault.setSecret('versioned', 'one');
  assert.notEqual(first.properties.version, second.properties.version);
  await vault.updateSecretProperties('versioned', second.properties.version ?? '', { contentType: 'x' });
  const versions: unknown[] = [];
  for await (const item of vault.listPropertiesOfSecretVersions('versioned')) versions.push(item.version);
  assert.equal(versions.length, 2);
  assert.equal((await vault.getSecret('versioned', { version: first.properties.version ?? '' })).value, 'one');
  assert.equal((await vault.getSecret('versioned')).properties.contentType, 'x');
});

void test('a list comes in pages of at most 25 and never shows a value', async () => {
  const vault = fixture.official('partner');
  for (let index = 0; index < 30; index++) await vault.setSecret(`paged-${index}`, `value-${index}`);
  const sizes: number[] = [];
  for await (const page of vault.listPropertiesOfSecrets().byPage()) {
    sizes.push(page.length);
    assert.ok(!JSON.stringify(page).includes('value-'));
  }
  assert.deepEqual(sizes, [25, 6]);
  const over = vault.listPropertiesOfSecrets().byPage({ maxPageSize: 26 }).next();
  assert.deepEqual(await refusal(over), [400, 'BadParameter']);
});

void test('deleting keeps the name until it is recovered or purged', async () => {
  const vault = fixture.official('home');
  await vault.setSecret('deleted', 'before');
  const deleting = await vault.beginDeleteSecret('deleted', { intervalInMs: 20 });
  assert.deepEqual(await refusal(vault.getSecret('deleted')), [404, 'SecretNotFound']);
  await deleting.pollUntilDone();
  assert.deepEqual(await refusal(vault.setSecret('deleted', 'x')), [409, 'ObjectIsDeletedButRecoverable']);
  const names: string[] = [];
  for await (const deleted of vault.listDeletedSecrets()) names.push(deleted.name);
  assert.deepEqual(names, ['deleted']);
  await (await vault.beginRecoverDeletedSecret('deleted', { intervalInMs: 20 })).pollUntilDone();
  assert.equal((await vault.getSecret('deleted')).value, 'before');
  await (await vault.beginDeleteSecret('deleted', { intervalInMs: 20 })).pollUntilDone();
  await vault.purgeDeletedSecret('deleted');
  assert.equal((await vault.setSecret('deleted', 'after')).value, 'after');
});

void test('a disabled secret is refused; dates are advice, unless the stricter vault is asked for', async () => {
  const vault = fixture.official('home');
  await vault.setSecret('disabled', 'x', { enabled: false });
  assert.deepEqual(await refusal(vault.getSecret('disabled')), [403, 'SecretDisabled']);
  await vault.setSecret('expired', 'x', { expiresOn: new Date(1_600_000_000_000) });
  await vault.setSecret('early', 'x', { notBefore: new Date(2_000_000_000_000) });
  assert.equal((await vault.getSecret('expired')).value, 'x');
  fixture.vaults.home.faults.replace([{ kind: 'special', name: 'enforce-dates' }]);
  assert.deepEqual(await refusal(vault.getSecret('expired')), [403, 'SecretExpired']);
  assert.deepEqual(await refusal(vault.getSecret('early')), [403, 'SecretNotYetValid']);
  fixture.vaults.home.faults.replace([]);
});

void test('a vault in failover reads and does not write', async () => {
  const vault = fixture.official('home');
  await vault.setSecret('kept', 'x');
  fixture.vaults.home.faults.replace([{ kind: 'special', name: 'read-only' }]);
  assert.deepEqual(await refusal(vault.setSecret('kept', 'y')), [403, 'VaultReadOnly']);
  assert.equal((await vault.getSecret('kept')).value, 'x');
  fixture.vaults.home.faults.replace([]);
});

void test('wrong names, a missing version and a token of nobody are refused in the shape of the vendor', async () => {
  assert.deepEqual(await refusal(fixture.official('home').setSecret('under_score', 'x')), [400, 'BadParameter']);
  const { url } = fixture.vaults.home;
  const anonymous = await fetch(`${url}/secrets?api-version=7.6`);
  assert.equal(anonymous.status, 401);
  assert.match(
    anonymous.headers.get('www-authenticate') ?? '',
    /^Bearer authorization="https:.*resource="https:\/\/vault/,
  );
  const forged = await fetch(`${url}/secrets?api-version=7.6`, { headers: { authorization: 'Bearer e30.e30.e30' } });
  assert.equal(forged.status, 401);
});

void test('the ledger holds what took effect and no value', async () => {
  await fixture.official('home').setSecret('noted', 'a-value-nobody-may-find');
  const effects = fixture.vaults.home.ledger.effectsAfter(0);
  assert.ok(effects.some((row) => row.type === 'secret-set' && row.key === 'noted'));
  assert.ok(!JSON.stringify([effects, fixture.vaults.home.ledger.askedAfter(0)]).includes('a-value-nobody'));
});
