// Rules of the dependency map: its ids and edges, one node of each kind, and what each kind needs to make sense.

import type { Salvaged } from '../schema-tree.ts';
import type { Dependency, DependencyKind, Stamp } from '../schema.ts';
import type { Mistake, Path } from '../problem.ts';
import type { Rule } from '../rules.ts';
import { findCycles } from '../graph.ts';
import { duplicates, idsOf, unknownReference } from './references.ts';
import { ambiguousReplacements } from './region-map.ts';

export const dependencyRules: readonly Rule[] = [
  duplicateIds,
  unknownEdges,
  cycles,
  oneOfEachKind,
  vaultIdentity,
  identityOutsideVault,
  modelUpstreams,
  probeContainerApart,
  smokeJobRunsOnce,
  doubleExecutionOnce,
  regionMapUnambiguous,
];

const kinds: readonly DependencyKind[] = [
  'identity',
  'key-vault',
  'storage',
  'databricks',
  'langfuse',
  'model',
  'traffic',
];

function* duplicateIds(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const ids = (stamp.dependencies ?? []).map((dependency) => dependency?.id);
  yield* duplicates('the dependency id', ids, { pathOf: (index) => ['dependencies', index, 'id'] });
}

function* unknownEdges(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const known = idsOf(stamp.dependencies);
  for (const [index, dependency] of (stamp.dependencies ?? []).entries()) {
    for (const [position, id] of (dependency?.after ?? []).entries()) {
      yield* unknownReference('dependency', id, { known, path: ['dependencies', index, 'after', position] });
    }
  }
}

function* cycles(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  // A stamp has one dependency of each kind; of a list far beyond that the count is the mistake to report.
  const dependencies = (stamp.dependencies ?? []).slice(0, 100);
  const edges = new Map<string, readonly string[]>();
  for (const dependency of dependencies) {
    if (dependency?.id === undefined || edges.has(dependency.id)) continue;
    edges.set(
      dependency.id,
      (dependency.after ?? []).filter((id) => id !== undefined),
    );
  }
  for (const cycle of findCycles(edges)) {
    const index = dependencies.findIndex((dependency) => dependency?.id === cycle[0]);
    const position = (dependencies[index]?.after ?? []).indexOf(cycle[1] ?? cycle[0]);
    yield {
      path: ['dependencies', index, 'after', position],
      code: 'DEPENDENCY_CYCLE',
      message: `dependencies wait for each other: ${[...cycle, cycle[0]].join(' → ')}`,
      hint: 'take one of these edges out: each of them would have to be up before itself',
    };
  }
}

function* oneOfEachKind(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const { dependencies } = stamp;
  if (dependencies === undefined) return;
  // A dependency whose kind cannot be read may be the one that seems to be missing.
  const allReadable = dependencies.every((dependency) => dependency?.kind !== undefined);
  for (const kind of kinds) {
    const places = dependencies.flatMap((dependency, index) => (dependency?.kind === kind ? [index] : []));
    if (places.length === 0 && allReadable) {
      yield { path: ['dependencies'], code: 'DEPENDENCY_COUNT', message: `no dependency of kind \`${kind}\`` };
    }
    for (const index of places.slice(1)) {
      const message = `a second dependency of kind \`${kind}\`; a stamp has exactly one`;
      yield { path: ['dependencies', index, 'kind'], code: 'DEPENDENCY_COUNT', message };
    }
  }
}

function* vaultIdentity(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const known = idsOf(stamp.dependencies?.filter((dependency) => dependency?.kind === 'identity'));
  for (const { dependency, path } of ofKind(stamp, 'key-vault')) {
    yield* unknownReference('identity dependency', dependency.identity, { known, path: [...path, 'identity'] });
  }
}

function* identityOutsideVault(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const { dependency, path } of ofKind(stamp, 'identity')) {
    for (const site of ['home', 'partner'] as const) {
      if (dependency[site]?.clientSecret?.startsWith('key-vault:') !== true) continue;
      yield {
        path: [...path, site, 'clientSecret'],
        code: 'CONTRADICTION',
        message: 'the secret of the identity that opens the key vault cannot itself be in the key vault',
        hint: 'use env:NAME or file:PATH',
      };
    }
  }
}

function* modelUpstreams(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const known = idsOf(stamp.gateway?.upstreams);
  for (const { dependency, path } of ofKind(stamp, 'model')) {
    for (const [position, id] of (dependency.upstreams ?? []).entries()) {
      yield* unknownReference('upstream', id, { known, path: [...path, 'upstreams', position] });
    }
  }
}

function* probeContainerApart(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const { dependency, path } of ofKind(stamp, 'storage')) {
    const position = (dependency.containers ?? []).findIndex((name) => name === dependency.probeContainer);
    if (dependency.probeContainer === undefined || position < 0) continue;
    const message = `\`${dependency.probeContainer}\` is the probe container; what is written there is never carried`;
    yield { path: [...path, 'containers', position], code: 'CONTRADICTION', message };
  }
}

function* smokeJobRunsOnce(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const { dependency, path } of ofKind(stamp, 'databricks')) {
    for (const [position, accepted] of (dependency.doubleExecution ?? []).entries()) {
      if (accepted?.job === undefined || accepted.job !== dependency.smokeJob) continue;
      yield {
        path: [...path, 'doubleExecution', position, 'job'],
        code: 'CONTRADICTION',
        message: 'the smoke job changes nothing, so there is no double execution of it to accept',
      };
    }
  }
}

function* doubleExecutionOnce(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const { dependency, path } of ofKind(stamp, 'databricks')) {
    const jobs = (dependency.doubleExecution ?? []).map((accepted) => accepted?.job);
    yield* duplicates('the job', jobs, { pathOf: (index) => [...path, 'doubleExecution', index, 'job'] });
  }
}

function* regionMapUnambiguous(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const { dependency, path } of ofKind(stamp, 'databricks')) {
    yield* ambiguousReplacements(dependency.regionMap ?? [], [...path, 'regionMap']);
  }
}

/** The dependencies of one kind, with their places. */
export function* ofKind<K extends DependencyKind>(
  stamp: Salvaged<Stamp>,
  kind: K,
): Iterable<{ dependency: Salvaged<Extract<Dependency, { kind: K }>>; path: Path }> {
  for (const [index, dependency] of (stamp.dependencies ?? []).entries()) {
    if (dependency?.kind !== kind) continue;
    yield { dependency: dependency as Salvaged<Extract<Dependency, { kind: K }>>, path: ['dependencies', index] };
  }
}
