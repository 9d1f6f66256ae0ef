// What was last known of a site: inventories kept in the ledger, so that drift and RPO can be judged with the site gone.

import { codeOf, isRecord, type Site } from '#base';
import type { Artifact, Inventory } from '#connectors';
import type { Ledger } from '#ledger';

/** An inventory as the ledger keeps it: digests only, no views. */
export interface KnownInventory extends Inventory {
  /** Wall time at which the standby was last proven equal to a listing, and when that listing began; 0: never. */
  readonly provenEqualAtMs: number;
}

/** Comparisons that overlap (three gates, the sync) write the same cell; each round at least one of them gets through. */
const triesMax = 10;

const keyOf = (dependency: string, site: Site): string => `inventory/${dependency}/${site}`;

export async function rememberInventory(
  ledger: Ledger,
  inventory: Inventory,
  proof: { equal: boolean },
): Promise<KnownInventory> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rememberOnce(ledger, inventory, proof);
    } catch (error) {
      if (codeOf(error) !== 'LEDGER_CONFLICT' || attempt === triesMax) throw error;
    }
  }
}

async function rememberOnce(ledger: Ledger, inventory: Inventory, proof: { equal: boolean }): Promise<KnownInventory> {
  const key = keyOf(inventory.dependency, inventory.site);
  const before = await ledger.get(key);
  const earlier = before && isRecord(before.value) ? Number(before.value['provenEqualAtMs'] ?? 0) : 0;
  const known = {
    site: inventory.site,
    dependency: inventory.dependency,
    startedAtMs: inventory.startedAtMs,
    provenEqualAtMs: proof.equal ? Math.max(inventory.startedAtMs, earlier) : earlier,
    twins: inventory.twins,
    artifacts: inventory.artifacts.map(({ kind, key: name, digest, class: class_, reason }) =>
      reason === undefined
        ? { kind, key: name, digest, class: class_ }
        : { kind, key: name, digest, class: class_, reason },
    ),
  };
  await ledger.put(key, known, before?.version ?? 0);
  return known;
}

export async function recallInventory(
  ledger: Ledger,
  dependency: string,
  site: Site,
): Promise<KnownInventory | undefined> {
  const cell = await ledger.get(keyOf(dependency, site));
  if (!cell || !isRecord(cell.value)) return undefined;
  return cell.value as unknown as KnownInventory & { artifacts: Artifact[] };
}
