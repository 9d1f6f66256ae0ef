import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ClientSecretCredential } from '@azure/identity';
import { codeOf, systemClock } from '#base';
import { createIdentity, type IdentityConnector } from '#connectors';
import { tokenVerifier } from './mod.ts';
import { clientId, clientSecret, identityFixture, secretsFrom, tenantId, type IdentityFixture } from './testing.ts';

const vaultScope = 'https://vault.azure.net/.default';
let fixture: IdentityFixture;
before(async () => {
  fixture = await identityFixture();
});
after(() => fixture.close());

function official(change: { tenant?: string; client?: string; secret?: string } = {}): ClientSecretCredential {
  const { tenant = tenantId, client = clientId, secret = clientSecret } = change;
  return new ClientSecretCredential(tenant, client, secret, {
    authorityHost: fixture.identity.url,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: fixture.identity.certificate.ca },
    retryOptions: { maxRetries: 0 },
  });
}

function connector(
  change: Parameters<IdentityFixture['dependency']>[0] = {},
  secret = clientSecret,
): IdentityConnector {
  return createIdentity({
    dependency: fixture.dependency(change),
    secrets: secretsFrom({ 'env:CLIENT_SECRET': secret }),
    clock: systemClock,
    directory: fixture.directory,
  });
}

const signal = new AbortController().signal;

void test('the official credential gets a token that other vendors can verify, for its audience only', async () => {
  const token = await official().getToken(vaultScope);
  const { jwksFile } = fixture.identity;
  const verify = tokenVerifier({ jwksFile, audience: 'https://vault.azure.net' });
  assert.deepEqual(await verify(token.token), { clientId, tenantId });
  const other = tokenVerifier({ jwksFile, audience: 'https://management.azure.com' });
  assert.equal(await other(token.token), undefined);
  assert.equal(await verify(`${token.token.slice(0, -8)}AAAAAAAA`), undefined);
});

void test('the endpoint refuses what Entra refuses, with its codes', async () => {
  const cases: [Promise<unknown>, string][] = [
    [official({ secret: 'wrong' }).getToken(vaultScope), 'AADSTS7000215'],
    [official({ client: 'nobody' }).getToken(vaultScope), 'AADSTS700016'],
    [official().getToken('nonsense'), 'AADSTS70011'],
    [official().getToken('https://elsewhere.example/.default'), 'AADSTS500011'],
  ];
  for (const [call, code] of cases) await assert.rejects(call, new RegExp(code));
});

void test('the raw answers have the statuses and the body of the vendor', async () => {
  const { Agent, request } = await import('undici');
  const dispatcher = new Agent({ connect: { ca: fixture.identity.certificate.ca } });
  const ask = async (tenant: string, form: Record<string, string>): Promise<[number, Record<string, unknown>]> => {
    const reply = await request(`${fixture.identity.url}/${tenant}/oauth2/v2.0/token`, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    });
    return [reply.statusCode, (await reply.body.json()) as Record<string, unknown>];
  };
  const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: 'wrong', scope: vaultScope };
  const [status, body] = await ask(tenantId, form);
  assert.equal(status, 401);
  assert.equal(body['error'], 'invalid_client');
  assert.deepEqual(body['error_codes'], [7_000_215]);
  const [unknownStatus, unknown] = await ask('22222222-2222-4222-8222-222222222222', form);
  assert.deepEqual([unknownStatus, unknown['error_codes']], [400, [90_002]]);
  const [grantStatus, grant] = await ask(tenantId, { ...form, grant_type: 'password' });
  assert.deepEqual([grantStatus, grant['error']], [400, 'unsupported_grant_type']);
  await dispatcher.close();
});

void test('fetchToken really asks each time; the credential caches', async () => {
  const identity = connector();
  const issued = (): number => fixture.identity.ledger.effectsAfter(0, { type: 'token-issued' }).length;
  const atStart = issued();
  assert.equal((await identity.fetchToken('partner', { signal })).verdict, 'pass');
  assert.equal((await identity.fetchToken('partner', { signal })).verdict, 'pass');
  assert.equal(issued(), atStart + 2);
  await identity.credential('home').getToken(vaultScope);
  await identity.credential('home').getToken(vaultScope);
  assert.equal(issued(), atStart + 3);
});

void test('a wrong or expired client secret fails the gate and says how to mend it, without the secret', async () => {
  const wrong = 'a-wrong-client-secret';
  const [finding] = await connector({}, wrong).probe('partner', { signal });
  assert.equal(finding?.verdict, 'fail');
  assert.match(finding?.detail ?? '', /client secret is wrong \(AADSTS7000215\)/);
  assert.ok(!JSON.stringify(finding).includes(wrong));
  fixture.identity.faults.replace([{ kind: 'special', name: 'expired-credential', match: '^POST ' }]);
  const expired = await connector().fetchToken('partner', { signal });
  fixture.identity.faults.replace([]);
  assert.match(expired.detail, /expired \(AADSTS7000222\)/);
  const rejected = connector({}, wrong).credential('home').getToken(vaultScope);
  await assert.rejects(rejected, (error) => codeOf(error) === 'IDENTITY_REFUSED' && !String(error).includes(wrong));
});

void test('an unknown tenant, an unreadable CA file and an authority that is down are told apart', async () => {
  const tenant = await connector({ tenantId: '22222222-2222-4222-8222-222222222222' }).fetchToken('home', { signal });
  assert.equal(tenant.verdict, 'fail');
  const ca = await connector({ caFile: 'missing.pem' }).fetchToken('home', { signal });
  assert.match(ca.detail, /missing\.pem/);
  fixture.identity.faults.replace([{ kind: 'refuse' }]);
  const down = await connector().fetchToken('home', { signal });
  fixture.identity.faults.replace([]);
  assert.notEqual(down.verdict, 'pass');
});

void test('an aborted caller gets its own reason', async () => {
  fixture.identity.faults.replace([{ kind: 'black-hole' }]);
  const controller = new AbortController();
  const fetching = connector().fetchToken('home', { signal: controller.signal });
  setImmediate(() => controller.abort(new Error('the run was aborted')));
  await assert.rejects(fetching, /the run was aborted/);
  fixture.identity.faults.replace([]);
});
