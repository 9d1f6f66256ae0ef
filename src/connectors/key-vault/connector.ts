// Azure Key Vault at both sites: secrets travel from vault to vault in memory, and are compared without being shown.

import { Failure, type Clock, type Randomness, type Site } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import { Acting } from '../azure/mod.ts';
import type { IdentityConnector } from '../identity/connector.ts';
import type { ProbedConnector, ReplicatedConnector, SecretStore } from '../port.ts';
import { applySecret } from './apply.ts';
import { openVault, type Vault } from './client.ts';
import { inventorySecrets } from './inventory.ts';
import { probeVault } from './probe.ts';

export interface KeyVaultOptions {
  readonly dependency: DependencyOf<'key-vault'>;
  /** The identity whose tokens open the vaults, per site. */
  readonly identity: Pick<IdentityConnector, 'credential'>;
  /** Not needed today: the vaults are opened with the identity. All factories take it alike. */
  readonly secrets?: SecretReader;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Deadline of one write; an act starts only while its lease outlasts it. Default 10 s, below the default lease. */
  readonly writeDeadlineMs?: number;
}

export type KeyVaultConnector = ReplicatedConnector & ProbedConnector & SecretStore;

export function createKeyVault(options: KeyVaultOptions): KeyVaultConnector {
  const acting = new Acting();
  const vaultAt = (site: Site): Vault =>
    openVault({
      url: options.dependency[site].url,
      credential: options.identity.credential(site),
      acting,
      clock: options.clock,
      writeDeadlineMs: options.writeDeadlineMs ?? 10_000,
    });
  const vaults = { home: vaultAt('home'), partner: vaultAt('partner') };
  const parts = { ...options, vaults };
  return {
    dependency: options.dependency.id,
    dataSet: 'secrets',
    kinds: ['secret'],
    inventory: (site, _as, context) => inventorySecrets(site, context, parts),
    apply: (change, context) => applySecret(change, context, parts),
    probe: (site, context) => probeVault(site, context, parts),
    async read(site, name, context) {
      const secret = await vaults[site].get(name, context);
      if (secret) return secret.value;
      throw new Failure('KEY_VAULT_NOT_FOUND', `the vault of ${site} has no secret ${name}`, {
        hint: 'set it in the vault, or correct the reference in the stamp',
      });
    },
  };
}
