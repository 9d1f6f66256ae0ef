// What the connector's tests share: two lab Langfuses, the connector between them, and ways to look at what happened.

import { type TestContext } from 'node:test';
import { seededRandomness, systemClock, type Clock, type Site } from '#base';
import {
  createLangfuse,
  type ActContext,
  type Change,
  type LangfuseConnector,
  type LangfuseOptions,
  type ReadContext,
} from '#connectors';
import type { RunningVendor } from '../kit/mod.ts';
import { startLangfuse } from './mod.ts';

export const secretValue = 'sk-lf-very-secret-value';
const project = { id: 'p', name: 'P', publicKey: 'pk-lf-lab', secretKey: secretValue };

export interface Pair {
  readonly home: RunningVendor;
  readonly partner: RunningVendor;
  readonly connector: LangfuseConnector;
}

export interface PairOptions {
  readonly limits?: LangfuseOptions['limits'];
  readonly clock?: Clock;
  /** What the connector believes the secret to be. */
  readonly secret?: string;
  readonly partnerUrl?: string;
}

export async function startPair(test: TestContext, options: PairOptions = {}): Promise<Pair> {
  const start = (name: string): Promise<RunningVendor> =>
    startLangfuse({ name, port: 0, dataFile: ':memory:', projects: [project], mode: 'events_only', settleMs: 0 });
  const [home, partner] = await Promise.all([start('home'), start('partner')]);
  test.after(async () => {
    await home.close();
    await partner.close();
  });
  const at = (url: string) => ({ url, publicKey: project.publicKey, secretKey: 'env:LANGFUSE_SECRET' });
  const connector = createLangfuse({
    dependency: {
      id: 'langfuse',
      kind: 'langfuse',
      after: [],
      deletions: 'report',
      home: at(home.url),
      partner: at(options.partnerUrl ?? partner.url),
    },
    secrets: { read: () => Promise.resolve(options.secret ?? secretValue) },
    clock: options.clock ?? systemClock,
    randomness: seededRandomness(1),
    limits: { settleMs: 0, ...options.limits },
  });
  return { home, partner, connector };
}

export const reading: ReadContext = { signal: new AbortController().signal };

export function acting(mayAct: () => void = () => {}): ActContext {
  return { ...reading, epoch: { generation: 1, number: 7 }, act: 'run_1/prompts/1.7', assertMayAct: mayAct };
}

export async function ask(vendor: RunningVendor, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${vendor.url}/api/public/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${project.publicKey}:${project.secretKey}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

export async function create(vendor: RunningVendor, name: string, prompt: unknown, more: object = {}): Promise<void> {
  await ask(vendor, 'POST', 'v2/prompts', { name, prompt, ...more });
}

/** Versions of a name as the vendor has them: number, content, labels. */
export async function versionsOf(vendor: RunningVendor, name: string): Promise<[number, unknown, string[]][]> {
  const list = (await ask(vendor, 'GET', `v2/prompts?name=${encodeURIComponent(name)}`)) as {
    data: { versions: number[] }[];
  };
  const versions: [number, unknown, string[]][] = [];
  for (const number of list.data[0]?.versions ?? []) {
    const path = `v2/prompts/${encodeURIComponent(name)}?version=${number}&resolve=false`;
    const read = (await ask(vendor, 'GET', path)) as { prompt: unknown; labels: string[] };
    versions.push([number, read.prompt, read.labels.toSorted()]);
  }
  return versions;
}

/** Compares home with partner and applies what differs, in the order of kind and key, as replication does. */
export async function sync(connector: LangfuseConnector, options: { deletions?: boolean } = {}): Promise<Change[]> {
  const changes = await driftOf(connector, options);
  for (const change of changes) await connector.apply(change, acting());
  return changes;
}

export async function driftOf(connector: LangfuseConnector, options: { deletions?: boolean } = {}): Promise<Change[]> {
  const from: Site = 'home';
  const to: Site = 'partner';
  const wanted = await connector.inventory(from, 'leading', reading);
  const present = await connector.inventory(to, 'following', reading);
  const digests = (artifacts: typeof wanted.artifacts): Map<string, string> =>
    new Map(artifacts.map((artifact) => [`${artifact.kind} ${artifact.key}`, artifact.digest]));
  const [here, there] = [digests(wanted.artifacts), digests(present.artifacts)];
  const changes: Change[] = [];
  for (const kind of connector.kinds) {
    for (const key of [...here.keys()].filter((candidate) => candidate.startsWith(`${kind} `)).toSorted()) {
      if (there.get(key) === here.get(key)) continue;
      changes.push({ action: there.has(key) ? 'update' : 'create', kind, key: key.slice(kind.length + 1), from, to });
    }
  }
  if (options.deletions) {
    for (const key of [...there.keys()].toSorted()) {
      const [kind = ''] = key.split(' ', 1);
      if (!here.has(key)) changes.push({ action: 'delete', kind, key: key.slice(kind.length + 1), from, to });
    }
  }
  return changes;
}

/** How many writing calls the vendor was asked. */
export function writesTo(vendor: RunningVendor): number {
  return vendor.ledger.askedAfter(0).filter(({ method, act }) => method !== 'GET' && act !== null).length;
}
