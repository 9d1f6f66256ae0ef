// The vendors of this part as processes: each announces itself, and what was acknowledged survives SIGKILL.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { systemClock } from '#base';
import { makeLabCertificate } from '../identity/mod.ts';

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  kill(): Promise<void>;
}

async function start(vendor: string, config: Record<string, unknown>): Promise<Running> {
  const program = fileURLToPath(new URL(`../${vendor}/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(config)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  assert.ok(child.stdout);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const said = JSON.parse(line) as { ready: boolean; url: string };
  assert.equal(said.ready, true);
  return {
    child,
    url: said.url,
    async kill() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

void test('identity and vault, killed and started again, know what they knew', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-processes-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tenant = '11111111-1111-4111-8111-111111111111';
  const identityConfig = {
    port: 0,
    dataFile: join(directory, 'identity.sqlite'),
    directory,
    tenants: [{ id: tenant, clients: [{ id: 'app', secret: 'secret' }] }],
  };
  const first = await start('identity', identityConfig);
  await first.kill();
  const identity = await start('identity', identityConfig);
  t.after(() => identity.kill());
  const vaultConfig = {
    port: 0,
    dataFile: join(directory, 'vault.sqlite'),
    jwksFile: join(directory, 'jwks.json'),
    authority: `${identity.url}/${tenant}`,
    tenantId: tenant,
    access: { app: ['get', 'set'] },
    seed: [{ name: 'seeded', value: 'at first' }],
  };
  const { ca } = await makeLabCertificate(directory);
  const credential = new ClientSecretCredential(tenant, 'app', 'secret', {
    authorityHost: identity.url,
    disableInstanceDiscovery: true,
    tlsOptions: { ca },
  });
  const options = { disableChallengeResourceVerification: true, allowInsecureConnection: true };
  const before = await start('key-vault', vaultConfig);
  await new SecretClient(before.url, credential, options).setSecret('seeded', 'changed');
  await before.kill();
  const vault = await start('key-vault', vaultConfig);
  t.after(() => vault.kill());
  assert.equal((await new SecretClient(vault.url, credential, options).getSecret('seeded')).value, 'changed');
});

void test('Azurite ends when the process above it is killed', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-processes-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const key = Buffer.alloc(64, 1).toString('base64');
  const storage = await start('storage', { port: 0, directory, account: 'labaccount', key });
  await storage.kill();
  for (;;) {
    try {
      await (await fetch(storage.url)).text();
      await systemClock.sleep(20);
    } catch {
      return;
    }
  }
});

void test('the front door announces itself', async (t) => {
  const origin = 'http://127.0.0.1:9';
  const config = {
    publicPort: 0,
    armPort: 0,
    dataFile: ':memory:',
    token: 't',
    origins: { home: origin, partner: origin },
  };
  const door = await start('front-door', config);
  t.after(() => door.kill());
  assert.equal((await fetch(`${door.url}/_lab/counts`)).status, 200);
});
