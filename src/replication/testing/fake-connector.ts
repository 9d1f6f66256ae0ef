// A connector in memory: two sites as maps of artifacts, each of which can be taken away. It follows the port strictly:
// nothing is written without the right to act, and a site that is gone neither lists nor takes anything.

import { Failure, otherSite, sha256, type Clock, type Site } from '#base';
import type { Artifact, Change, Inventory, ReplicatedConnector } from '#connectors';

export interface FakeSite {
  readonly artifacts: Map<string, Artifact>;
  gone: boolean;
}

export interface FakeConnector extends ReplicatedConnector {
  readonly at: Readonly<Record<Site, FakeSite>>;
  /** Changes that took effect, in order: `create job nightly`. */
  readonly applied: string[];
  /** Keys that the vendor refuses to take. */
  readonly refused: Set<string>;
  put(site: Site, artifact: { kind: string; key: string; content: string; listed?: string }): void;
  remove(site: Site, name: { kind: string; key: string }): void;
}

const actDeadlineMs = 1_000;

export function fakeConnector(options: {
  dependency: string;
  dataSet?: ReplicatedConnector['dataSet'];
  kinds?: readonly string[];
  clock: Clock;
}): FakeConnector {
  const at = { home: emptySite(), partner: emptySite() };
  const applied: string[] = [];
  const refused = new Set<string>();
  const reached = (site: Site): FakeSite => {
    if (at[site].gone) throw new Failure('UNREACHABLE', `${options.dependency} of ${site} does not answer`);
    return at[site];
  };
  return {
    dependency: options.dependency,
    dataSet: options.dataSet ?? 'artifacts',
    kinds: options.kinds ?? ['policy', 'job'],
    at,
    applied,
    refused,
    async inventory(site, _as, context): Promise<Inventory> {
      context.signal.throwIfAborted();
      const artifacts = [...reached(site).artifacts.values()];
      const startedAtMs = options.clock.wallMs();
      return { site, dependency: options.dependency, startedAtMs, artifacts, twins: [] };
    },
    async apply(change, context) {
      const from = reached(otherSite(change.to));
      const to = reached(change.to);
      if (refused.has(change.key)) throw new Failure('VENDOR_REFUSED', `${change.key} is refused`);
      context.assertMayAct(actDeadlineMs);
      applied.push(`${change.action} ${change.kind} ${change.key}`);
      applyChange(change, from.artifacts, to.artifacts);
    },
    put(site, { kind, key, content, listed }) {
      const artifact = { kind, key, digest: sha256(content) };
      at[site].artifacts.set(
        `${kind} ${key}`,
        listed === undefined ? { ...artifact, class: 'carried' } : { ...artifact, class: 'listed', reason: listed },
      );
    },
    remove(site, { kind, key }) {
      at[site].artifacts.delete(`${kind} ${key}`);
    },
  };
}

function applyChange(change: Change, from: Map<string, Artifact>, to: Map<string, Artifact>): void {
  const name = `${change.kind} ${change.key}`;
  if (change.action === 'delete') {
    to.delete(name);
    return;
  }
  const artifact = from.get(name);
  if (!artifact) throw new Failure('SOURCE_GONE', `${name} is not at ${change.from}`);
  to.set(name, artifact);
}

function emptySite(): FakeSite {
  return { artifacts: new Map(), gone: false };
}
