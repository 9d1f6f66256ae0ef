// The dependency map as a graph: cycles, an order in which everything comes after what it needs, and the view that
// `understudy map` draws.

import { assert, type Site } from '#base';
import type { Dependency, DependencyKind, Stamp } from './schema.ts';

/** Node id → ids that must be up first. */
type Edges = ReadonlyMap<string, readonly string[]>;

/** Each cycle once, as the ids along it, beginning with the one that is declared first. Edges to unknown ids are skipped. */
export function findCycles(edges: Edges): [string, ...string[]][] {
  const cycles: [string, ...string[]][] = [];
  const done = new Set<string>();
  const declared = [...edges.keys()];
  const follow = (id: string, trail: readonly string[]): void => {
    const start = trail.indexOf(id);
    if (start >= 0) {
      cycles.push(fromFirstDeclared(trail.slice(start), declared));
      return;
    }
    if (done.has(id)) return;
    for (const before of edges.get(id) ?? []) if (edges.has(before)) follow(before, [...trail, id]);
    done.add(id);
  };
  for (const id of declared) follow(id, []);
  return cycles;
}

function fromFirstDeclared(cycle: readonly string[], declared: readonly string[]): [string, ...string[]] {
  const first = declared.find((id) => cycle.includes(id));
  assert(first !== undefined, 'a cycle goes along declared ids');
  const start = cycle.indexOf(first);
  return [first, ...cycle.slice(start + 1), ...cycle.slice(0, start)];
}

/** Ids of all dependencies, each after everything it needs; among equals in the order of the file. */
export function dependencyOrder(stamp: Stamp): string[] {
  return [...levels(stamp).entries()].sort(([, a], [, b]) => a - b).map(([id]) => id);
}

export interface DependencyNode {
  readonly id: string;
  readonly kind: DependencyKind;
  /** Ids that must be up first. */
  readonly after: readonly string[];
  /** 0 when it needs nothing; otherwise one more than the highest it needs. */
  readonly level: number;
  /** What is reached at each site, for people: addresses and names, never credentials. */
  readonly endpoints: Readonly<Record<Site, readonly string[]>>;
}

/** The dependency map as `understudy map` shows it, in an order in which each node comes after what it needs. */
export function dependencyMap(stamp: Stamp): DependencyNode[] {
  const byId = new Map(stamp.dependencies.map((dependency) => [dependency.id, dependency]));
  const level = levels(stamp);
  return dependencyOrder(stamp).map((id) => {
    const dependency = byId.get(id);
    assert(dependency, `dependency ${id} is declared`);
    return {
      id,
      kind: dependency.kind,
      after: dependency.after,
      level: level.get(id) ?? 0,
      endpoints: { home: endpoints(stamp, dependency, 'home'), partner: endpoints(stamp, dependency, 'partner') },
    };
  });
}

function endpoints(stamp: Stamp, dependency: Dependency, site: Site): string[] {
  switch (dependency.kind) {
    case 'identity':
      return [`${dependency[site].authority.replace(/\/+$/, '')}/${dependency[site].tenantId}`];
    case 'key-vault':
    case 'storage':
    case 'databricks':
    case 'langfuse':
      return [dependency[site].url];
    case 'model':
      // Every site must reach every upstream: a failover may need any of them.
      return stamp.gateway.upstreams.filter(({ id }) => dependency.upstreams.includes(id)).map(({ url }) => url);
    case 'traffic':
      return [`${dependency.publicUrl} (origin ${dependency[site].origin})`];
  }
}

function levels(stamp: Stamp): Map<string, number> {
  const after = new Map(stamp.dependencies.map((dependency) => [dependency.id, dependency.after]));
  const known = new Map<string, number>();
  const levelOf = (id: string): number => {
    const level = known.get(id) ?? Math.max(-1, ...(after.get(id) ?? []).map(levelOf)) + 1;
    known.set(id, level);
    return level;
  };
  // The rules have shown that there is no cycle.
  return new Map(stamp.dependencies.map(({ id }) => [id, levelOf(id)]));
}
