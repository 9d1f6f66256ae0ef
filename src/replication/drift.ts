// Drift: what the following site lacks, has too much of, or has differently. Pure; every caller compares the same way.

import type { Artifact, Change, Inventory } from '#connectors';
import { otherSite } from '#base';

export interface Difference {
  readonly dependency: string;
  readonly kind: string;
  readonly key: string;
  readonly difference: 'missing' | 'extra' | 'different';
  /** Carried differences are drift; listed ones are reported only. */
  readonly class: Artifact['class'];
  readonly reason?: string;
}

/** Differences between two inventories of one dependency, in order of kind and key. */
export function differencesBetween(leading: Inventory, following: Inventory): Difference[] {
  const here = byName(leading.artifacts);
  const there = byName(following.artifacts);
  const found: Difference[] = [];
  for (const [name, artifact] of here) {
    const twin = there.get(name);
    if (!twin) found.push(difference(leading.dependency, artifact, 'missing'));
    else if (twin.digest !== artifact.digest) found.push(difference(leading.dependency, artifact, 'different'));
  }
  for (const [name, artifact] of there) {
    if (!here.has(name)) found.push(difference(leading.dependency, artifact, 'extra'));
  }
  return found.sort((a, b) => compare(a.kind, b.kind) || compare(a.key, b.key));
}

/** The differences that count: of artifacts that replication carries. */
export function driftOf(differences: readonly Difference[]): Difference[] {
  return differences.filter((entry) => entry.class === 'carried');
}

/** The changes that remove the drift, in an order that can be applied: kinds as given, deletions in reverse at the end. */
export function changesFor(
  drift: readonly Difference[],
  options: { kinds: readonly string[]; from: Inventory['site']; deletions: 'report' | 'propagate' },
): Change[] {
  const rank = (kind: string): number => options.kinds.indexOf(kind);
  const to = otherSite(options.from);
  const writes = drift
    .filter((entry) => entry.difference !== 'extra')
    .sort((a, b) => rank(a.kind) - rank(b.kind))
    .map((entry): Change => ({
      action: entry.difference === 'missing' ? 'create' : 'update',
      kind: entry.kind,
      key: entry.key,
      from: options.from,
      to,
    }));
  if (options.deletions === 'report') return writes;
  const deletions = drift
    .filter((entry) => entry.difference === 'extra')
    .sort((a, b) => rank(b.kind) - rank(a.kind))
    .map((entry): Change => ({ action: 'delete', kind: entry.kind, key: entry.key, from: options.from, to }));
  return [...writes, ...deletions];
}

function byName(artifacts: readonly Artifact[]): Map<string, Artifact> {
  return new Map(artifacts.map((artifact) => [`${artifact.kind}\u0000${artifact.key}`, artifact]));
}

function difference(dependency: string, artifact: Artifact, what: Difference['difference']): Difference {
  return {
    dependency,
    kind: artifact.kind,
    key: artifact.key,
    difference: what,
    class: artifact.class,
    ...(artifact.reason === undefined ? {} : { reason: artifact.reason }),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
