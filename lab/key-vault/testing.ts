// Two vaults behind one identity endpoint, for tests: the official client, and the connector between them.

import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { seededRandomness, systemClock, type Site } from '#base';
import { createIdentity, createKeyVault, type ActContext, type KeyVaultConnector } from '#connectors';
import type { DependencyOf } from '#stamp';
import {
  clientId,
  clientSecret,
  identityFixture,
  secretsFrom,
  tenantId,
  type IdentityFixture,
} from '../identity/testing.ts';
import type { RunningVendor } from '../kit/mod.ts';
import { startKeyVault, type KeyVaultOptions } from './server.ts';

export const comparisonKey = 'comparison-key-of-the-test-00000';

export interface VaultsFixture {
  readonly vaults: Record<Site, RunningVendor>;
  official(site: Site): SecretClient;
  connector(change?: Partial<DependencyOf<'key-vault'>>): KeyVaultConnector;
  close(): Promise<void>;
}

export async function vaultsFixture(change: Partial<KeyVaultOptions> = {}): Promise<VaultsFixture> {
  const fixture = await identityFixture();
  const { identity } = fixture;
  const start = (): Promise<RunningVendor> =>
    startKeyVault({
      port: 0,
      dataFile: ':memory:',
      jwksFile: identity.jwksFile,
      authority: `${identity.url}/${tenantId}`,
      tenantId,
      access: { [clientId]: ['get', 'list', 'set', 'delete', 'recover', 'purge'] },
      seed: [{ name: 'comparison-key', value: comparisonKey }],
      ...change,
    });
  const vaults = { home: await start(), partner: await start() };
  return {
    vaults,
    official: (site) => officialClient(vaults[site].url, fixture),
    connector(changed = {}) {
      const secrets = secretsFrom({ 'env:CLIENT_SECRET': clientSecret });
      const { directory } = fixture;
      const connected = createIdentity({ dependency: fixture.dependency(), secrets, clock: systemClock, directory });
      return createKeyVault({
        dependency: { ...dependencyOf(vaults), ...changed },
        identity: connected,
        clock: systemClock,
        randomness: seededRandomness(1),
      });
    },
    async close() {
      await Promise.all([vaults.home.close(), vaults.partner.close(), fixture.close()]);
    },
  };
}

function officialClient(url: string, { identity }: IdentityFixture): SecretClient {
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: identity.url,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: identity.certificate.ca },
  });
  return new SecretClient(url, credential, {
    disableChallengeResourceVerification: true,
    allowInsecureConnection: true,
    retryOptions: { maxRetries: 0 },
  });
}

function dependencyOf(vaults: Record<Site, RunningVendor>): DependencyOf<'key-vault'> {
  return {
    id: 'vault',
    kind: 'key-vault',
    after: [],
    deletions: 'report',
    identity: 'identity',
    home: { url: vaults.home.url },
    partner: { url: vaults.partner.url },
    secrets: ['*'],
    comparisonKey: 'comparison-key',
  };
}

/** An act that is allowed, unless `assertMayAct` is replaced. */
export function actContext(change: Partial<ActContext> = {}): ActContext {
  return {
    signal: new AbortController().signal,
    epoch: { generation: 1, number: 2 },
    act: 'run_test/sync/1.2',
    assertMayAct: () => undefined,
    ...change,
  };
}
