// Lists the secrets of one vault that the stamp declares, each with its keyed digest. Values are read, digested and let
// go; they are in no artifact.

import { codeOf, Failure, type Clock, type Site } from '#base';
import type { DependencyOf } from '#stamp';
import type { Artifact, Inventory, ReadContext } from '../port.ts';
import type { SecretAttributes, Vault } from './client.ts';
import { digestOfAttributes, digestOfSecret, viewOf, whyListed } from './neutral.ts';

export interface InventoryParts {
  readonly dependency: DependencyOf<'key-vault'>;
  readonly clock: Clock;
  readonly vaults: Readonly<Record<Site, Vault>>;
}

/** Reads in flight at once; a vault allows 4,000 in ten seconds. */
const readsAtOnce = 8;

export async function inventorySecrets(site: Site, context: ReadContext, parts: InventoryParts): Promise<Inventory> {
  const startedAtMs = parts.clock.wallMs();
  const comparisonKey = await readComparisonKey(site, context, parts);
  const declared = (await parts.vaults[site].list(context)).filter((secret) =>
    isDeclared(secret.name, parts.dependency),
  );
  const artifacts: Artifact[] = [];
  for (let index = 0; index < declared.length; index += readsAtOnce) {
    const batch = declared.slice(index, index + readsAtOnce);
    const read = await Promise.all(batch.map((secret) => artifactOf(secret, comparisonKey, { site, context, parts })));
    artifacts.push(...read.filter((artifact) => artifact !== undefined));
  }
  return { site, dependency: parts.dependency.id, startedAtMs, artifacts, twins: [] };
}

/** Whether the stamp carries this name; the comparison key itself is never compared. */
export function isDeclared(name: string, dependency: DependencyOf<'key-vault'>): boolean {
  const same = (other: string): boolean => other.toLowerCase() === name.toLowerCase(); // Names ignore case.
  if (same(dependency.comparisonKey)) return false;
  return dependency.secrets.includes('*') || dependency.secrets.some(same);
}

/** The comparison key of a site, from that site's own vault. */
export async function readComparisonKey(site: Site, context: ReadContext, parts: InventoryParts): Promise<string> {
  const name = parts.dependency.comparisonKey;
  const secret = await parts.vaults[site].get(name, context);
  if (secret && secret.value !== '') return secret.value;
  throw new Failure('COMPARISON_KEY_MISSING', `the vault of ${site} has no comparison key ${name}`, {
    next: 'ask_operator',
    hint: `put the same random value of at least 32 characters under ${name} into both vaults`,
  });
}

async function artifactOf(
  secret: SecretAttributes,
  comparisonKey: string,
  { site, context, parts }: { site: Site; context: ReadContext; parts: InventoryParts },
): Promise<Artifact | undefined> {
  const common = { kind: 'secret', key: secret.name };
  const listed = (reason: string): Artifact => ({
    ...common,
    digest: digestOfAttributes(secret, comparisonKey),
    class: 'listed',
    reason,
    view: viewOf(secret),
  });
  const reason = whyListed(secret, Math.floor(parts.clock.wallMs() / 1_000));
  if (reason !== undefined) return listed(reason);
  try {
    const stored = await parts.vaults[site].get(secret.name, context);
    if (!stored) return undefined; // Deleted since the listing.
    return { ...common, digest: digestOfSecret(stored, comparisonKey), class: 'carried', view: viewOf(stored) };
  } catch (error) {
    const code = error instanceof Failure ? error.details['vendorCode'] : undefined;
    // One secret that the vault does not give out must not hide the others; without the right to read, all fail.
    if (codeOf(error) === 'KEY_VAULT_FORBIDDEN' && typeof code === 'string' && code.startsWith('Secret')) {
      return listed(`the vault does not give it out (${code})`);
    }
    throw error;
  }
}
