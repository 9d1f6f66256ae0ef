// Rules of the two sites: they must really be two, and nothing that one process owns may be claimed by another.

import { resolve } from 'node:path';
import { parseDuration } from '#base';
import type { Mistake, Path } from '../problem.ts';
import type { Rule, RuleContext } from '../rules.ts';
import type { Salvaged } from '../schema-tree.ts';
import type { Stamp } from '../schema.ts';
import { ofKind } from './dependencies.ts';

export const siteRules: readonly Rule[] = [
  twoRegions,
  ownAddresses,
  ownOrigins,
  ownJournals,
  ownListeners,
  leaseBounds,
];

function* twoRegions(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const home = stamp.sites?.home?.region;
  if (home === undefined || home !== stamp.sites?.partner?.region) return;
  const message = `both sites are in ${home}: the loss of that region would take both`;
  yield { path: ['sites', 'partner', 'region'], code: 'SITES_SHARED', message };
}

/** What exists once per site must have two addresses. */
function* ownAddresses(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const { home, partner } = stamp.sites ?? {};
  yield* shared('gateway', [home?.gateway?.url, partner?.gateway?.url], ['sites', 'partner', 'gateway', 'url']);
  const kinds = ['key-vault', 'storage', 'databricks', 'langfuse'] as const;
  const names = { 'key-vault': 'vault', storage: 'storage account', databricks: 'workspace', langfuse: 'Langfuse' };
  for (const kind of kinds) {
    for (const { dependency, path } of ofKind(stamp, kind)) {
      const urls = [dependency.home?.url, dependency.partner?.url] as const;
      yield* shared(names[kind], urls, [...path, 'partner', 'url']);
    }
  }
}

function* shared(what: string, urls: readonly [string | undefined, string | undefined], path: Path): Iterable<Mistake> {
  const [home, partner] = urls;
  if (home === undefined || partner === undefined || sameAddress(home) !== sameAddress(partner)) return;
  const message = `home and partner have the same ${what} address`;
  yield { path, code: 'SITES_SHARED', message, hint: 'each site needs its own: a shared one is lost with either' };
}

function sameAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}

function* ownOrigins(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const { dependency, path } of ofKind(stamp, 'traffic')) {
    const home = dependency.home?.origin;
    if (home === undefined || home.toLowerCase() !== dependency.partner?.origin?.toLowerCase()) continue;
    const message = 'home and partner are the same origin: traffic could not be moved';
    yield { path: [...path, 'partner', 'origin'], code: 'SITES_SHARED', message };
  }
}

function* ownJournals(stamp: Salvaged<Stamp>, context: RuleContext): Iterable<Mistake> {
  const home = stamp.sites?.home?.journal?.directory;
  const partner = stamp.sites?.partner?.journal?.directory;
  if (home === undefined || partner === undefined) return;
  if (resolve(context.directory, home) !== resolve(context.directory, partner)) return;
  yield {
    path: ['sites', 'partner', 'journal', 'directory'],
    code: 'SITES_SHARED',
    message: 'home and partner have the same journal directory',
    hint: 'a journal has one writer; give each site its own name even on different machines',
  };
}

interface Listener {
  readonly path: Path;
  readonly place: string;
  /** Host name under which others reach it: tells machines apart. */
  readonly machine: string;
}

function* ownListeners(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const seen: Listener[] = [];
  for (const listener of listeners(stamp)) {
    const other = seen.find((earlier) => earlier.place === listener.place && mayMeet(earlier, listener));
    seen.push(listener);
    if (other === undefined) continue;
    const message = `${other.path.slice(0, -1).join('.')} already listens on ${listener.place}`;
    yield { path: [...listener.path, 'port'], code: 'SITES_SHARED', message };
  }
}

function* listeners(stamp: Salvaged<Stamp>): Iterable<Listener> {
  const processes = [
    { path: ['sites', 'home', 'gateway', 'listen'], process: stamp.sites?.home?.gateway },
    { path: ['sites', 'partner', 'gateway', 'listen'], process: stamp.sites?.partner?.gateway },
    { path: ['control', 'listen'], process: stamp.control },
  ];
  for (const { path, process } of processes) {
    const { host, port } = process?.listen ?? {};
    if (host === undefined || port === undefined || process?.url === undefined) continue;
    const place = `${host === 'localhost' ? '127.0.0.1' : host.toLowerCase()}:${port}`;
    yield { path, place, machine: new URL(process.url).hostname };
  }
}

/** On two machines every process may have the same loopback or wildcard address; any other address is one machine's. */
function mayMeet(a: Listener, b: Listener): boolean {
  return a.machine === b.machine || !/^(127\.|0\.0\.0\.0:|\[?::1?\]?:)/.test(a.place);
}

function* leaseBounds(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const ttlMs = parseDuration(stamp.control?.lease?.ttl ?? '15s');
  if (ttlMs === undefined || (ttlMs >= 1_000 && ttlMs <= 300_000)) return;
  yield {
    path: ['control', 'lease', 'ttl'],
    code: 'WRONG_VALUE',
    message: 'must be between 1s and 5m',
    hint: 'below a second every pause looks like a loss; above five minutes a failover waits too long for the old lease',
  };
}
