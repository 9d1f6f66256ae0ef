// Small reads of a checked stamp.

import { assert, parseDuration } from '#base';
import type { Dependency, DependencyKind, DependencyOf, Person, Route, Stamp, Upstream } from './schema.ts';

/** Milliseconds of a duration that the schema has already checked. */
export function milliseconds(written: string): number {
  const value = parseDuration(written);
  assert(value !== undefined, `${written} was checked to be a duration`);
  return value;
}

export function dependenciesOfKind<K extends DependencyKind>(stamp: Stamp, kind: K): DependencyOf<K>[] {
  return stamp.dependencies.filter((dependency): dependency is DependencyOf<K> => dependency.kind === kind);
}

/** The dependency of a kind of which a stamp has exactly one (the rules see to that). */
export function dependencyOf<K extends DependencyKind>(stamp: Stamp, kind: K): DependencyOf<K> {
  const found: Dependency | undefined = dependenciesOfKind(stamp, kind)[0];
  assert(found, `the stamp declares a ${kind} dependency`);
  return found as DependencyOf<K>;
}

export function upstreamOf(stamp: Stamp, id: string): Upstream {
  const found = stamp.gateway.upstreams.find((upstream) => upstream.id === id);
  assert(found, `upstream ${id} was checked to exist`);
  return found;
}

export function routeOf(stamp: Stamp, id: string): Route {
  const found = stamp.gateway.routes.find((route) => route.id === id);
  assert(found, `route ${id} was checked to exist`);
  return found;
}

export function personOf(stamp: Stamp, id: string): Person | undefined {
  return stamp.people.find((person) => person.id === id);
}
