import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#base';
import { exampleStamp, keysOf, newKeyPair } from './testing/people.ts';
import { tokenSigner, tokenVerifier, type Principal } from './tokens.ts';

const stamp = exampleStamp();
const keys = keysOf(stamp);
const clock = new ManualClock();
const mei: Principal = { kind: 'person', id: 'mei' };
const verifier = tokenVerifier({ stamp, secrets: keys.secrets, audience: 'control', clock });
const signer = tokenSigner(mei, { privateKeyPem: keys.personKey('mei'), clock });

const refused = (why: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error && 'code' in error);
  assert.equal(error.code, 'UNAUTHENTICATED');
  assert.match(error.message, why);
  return true;
};

test('a person, a site and the controller are known by their own keys', async () => {
  assert.deepEqual(await verifier.verify(await signer.authorization('control')), mei);
  const home: Principal = { kind: 'site', id: 'home' };
  const site = tokenSigner(home, { privateKeyPem: keys.privateKeyOf(stamp.sites.home.identity.publicKey), clock });
  assert.deepEqual(await verifier.verify(await site.authorization('control')), home);
  const control: Principal = { kind: 'control', id: 'control' };
  const own = tokenSigner(control, { privateKeyPem: keys.privateKeyOf(stamp.control.identity.publicKey), clock });
  assert.deepEqual(await verifier.verify(await own.authorization('control')), control);
});

test('a token for another audience is refused', async () => {
  await assert.rejects(verifier.verify(await signer.authorization('site:home')), refused(/"aud"/));
});

test('a token lives a minute, with thirty seconds for clocks that differ', async () => {
  const authorization = await signer.authorization('control');
  await clock.advance(89_000);
  assert.deepEqual(await verifier.verify(authorization), mei);
  await clock.advance(2_000);
  await assert.rejects(verifier.verify(authorization), refused(/"exp"/));
});

test('nobody whom the stamp does not name', async () => {
  const { privateKey } = newKeyPair();
  for (const principal of [
    { kind: 'person', id: 'mallory' },
    { kind: 'site', id: 'elsewhere' },
  ] as Principal[]) {
    const stranger = tokenSigner(principal, { privateKeyPem: privateKey, clock });
    await assert.rejects(verifier.verify(await stranger.authorization('control')), refused(/does not know/));
  }
});

test('a token in another’s name, signed with one’s own key, is refused', async () => {
  const forged = tokenSigner({ kind: 'person', id: 'rafael' }, { privateKeyPem: keys.personKey('mei'), clock });
  await assert.rejects(verifier.verify(await forged.authorization('control')), refused(/signature/));
});

test('a changed or unsigned token is refused', async () => {
  const token = (await signer.authorization('control')).slice('Bearer '.length);
  const [header = '', , signature = ''] = token.split('.');
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(clock.wallMs() / 1_000) + 9_999;
  const payload = encode({ sub: 'person:mei', aud: 'control', exp });
  for (const wrong of [`${header}.${payload}.${signature}`, `${encode({ alg: 'none' })}.${payload}.`]) {
    await assert.rejects(verifier.verify(`Bearer ${wrong}`), { code: 'UNAUTHENTICATED' });
  }
});

test('what is no token at all is refused the same way', async () => {
  for (const wrong of [undefined, '', 'Bearer ', 'Basic bWVpOng=', 'Bearer x', 'Bearer a.b.c', 'Bearer ..']) {
    await assert.rejects(verifier.verify(wrong), { code: 'UNAUTHENTICATED' }, String(wrong));
  }
});
