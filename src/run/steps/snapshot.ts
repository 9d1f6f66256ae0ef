// What a drill must leave as it was: artifacts, secrets, roles, routes, breakers and where traffic goes.

import { digestOf, otherSite, sites } from '#base';
import type { ReadContext } from '#connectors';
import type { World } from '../world.ts';

/** Plain data: the digest of each part, so that two snapshots can be compared part by part. */
export type Snapshot = Readonly<Record<string, string>>;

export async function takeSnapshot(world: World, context: ReadContext): Promise<Snapshot> {
  const authority = world.authority.authority();
  const active = sites.find((site) => authority.roles[site] === 'active') ?? 'home';
  const parts: Record<string, string> = {
    authority: digestOf(authority),
    traffic: digestOf(await world.traffic.enabled(context)),
  };
  for (const site of [active, otherSite(active)]) {
    const as = site === active ? 'leading' : 'following';
    for (const inventory of await world.replicator.inventories(site, as, context)) {
      const listing = inventory.artifacts.map(({ kind, key, digest }) => `${kind} ${key} ${digest}`).sort();
      parts[`${site}/${inventory.dependency}`] = digestOf(listing);
    }
    const state = await world.agents[site].state(context);
    parts[`${site}/role`] = state.role;
    parts[`${site}/routes`] = state.routes;
    parts[`${site}/breakers`] = digestOf(state.breakers);
  }
  return parts;
}

/** Names of the parts that differ. */
export function changedParts(before: Snapshot, after: Snapshot): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).sort();
}
