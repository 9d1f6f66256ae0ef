// Replication: list both sites, compare, apply the difference in dependency order, list again. A sync can die anywhere and
// be repeated; one dependency that fails does not keep the others from being brought up to date.

import { codeOf, describeError, otherSite, type Clock, type Site } from '#base';
import type { ActContext, Change, Inventory, ReadContext, ReplicatedConnector } from '#connectors';
import type { Ledger } from '#ledger';
import { changesFor, differencesBetween, driftOf, type Difference } from './drift.ts';
import { recallInventory, rememberInventory } from './known.ts';

export interface DependencyDrift {
  readonly dependency: string;
  readonly dataSet: ReplicatedConnector['dataSet'];
  /** Carried artifacts seen at the leading site. */
  readonly artifacts: number;
  readonly drift: readonly Difference[];
  /** Differences that are reported only, with the reason. */
  readonly listed: readonly Difference[];
  readonly twins: readonly string[];
  /** `live`: both sites were listed now; `last-known`: the leading site's last recorded listing was used. */
  readonly method: 'live' | 'last-known' | 'none';
  /** When the leading listing used here began, wall ms. */
  readonly leadingListedAtMs?: number;
  /** The leading listing to which the standby was last proven equal began then; 0: never. */
  readonly provenEqualAtMs: number;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface AppliedChange extends Change {
  readonly dependency: string;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface SyncReport {
  readonly from: Site;
  readonly to: Site;
  readonly before: readonly DependencyDrift[];
  readonly applied: readonly AppliedChange[];
  readonly after: readonly DependencyDrift[];
}

export interface ReplicatorOptions {
  readonly connectors: readonly ReplicatedConnector[];
  /** Per dependency id. */
  readonly deletions: Readonly<Record<string, 'report' | 'propagate'>>;
  readonly clock: Clock;
  /** Where last known inventories are kept; absent in `assess`, which works without a ledger. */
  readonly ledger?: Ledger;
}

export interface Replicator {
  /** Compares without writing. With the leading site gone, the last known listing stands in, and the report says so. */
  drift(leading: Site, context: ReadContext): Promise<DependencyDrift[]>;
  /** Brings the other site up to date. `act(change)` gives the right to each single write. */
  sync(leading: Site, act: (name: string) => ActContext): Promise<SyncReport>;
  /** Listings of one site as it is now, with views: for comparing before and after a drill. */
  inventories(site: Site, as: 'leading' | 'following', context: ReadContext): Promise<Inventory[]>;
}

export function createReplicator(options: ReplicatorOptions): Replicator {
  return {
    drift: (leading, context) =>
      Promise.all(options.connectors.map((connector) => driftOfOne(connector, leading, { ...options, context }))),
    async sync(leading, act) {
      const before: DependencyDrift[] = [];
      const applied: AppliedChange[] = [];
      const after: DependencyDrift[] = [];
      for (const connector of options.connectors) {
        const outcome = await syncOne(connector, leading, { ...options, act });
        before.push(outcome.before);
        applied.push(...outcome.applied);
        after.push(outcome.after);
      }
      return { from: leading, to: otherSite(leading), before, applied, after };
    },
    inventories: (site, as, context) =>
      Promise.all(options.connectors.map((connector) => connector.inventory(site, as, context))),
  };
}

async function driftOfOne(
  connector: ReplicatedConnector,
  leading: Site,
  options: ReplicatorOptions & { context: ReadContext },
): Promise<DependencyDrift> {
  const known = options.ledger ? await recallInventory(options.ledger, connector.dependency, leading) : undefined;
  const base = {
    dependency: connector.dependency,
    dataSet: connector.dataSet,
    provenEqualAtMs: known?.provenEqualAtMs ?? 0,
  };
  const none = { artifacts: 0, drift: [], listed: [], twins: [], method: 'none' as const };
  const [ahead, behind] = await Promise.allSettled([
    connector.inventory(leading, 'leading', options.context),
    connector.inventory(otherSite(leading), 'following', options.context),
  ]);
  if (behind.status === 'rejected') return { ...base, ...none, error: errorOf(behind.reason) };
  if (ahead.status === 'rejected') {
    if (!known) return { ...base, ...none, error: errorOf(ahead.reason) };
    return { ...base, ...compared(known, behind.value), method: 'last-known', error: errorOf(ahead.reason) };
  }
  const result = compared(ahead.value, behind.value);
  let provenEqualAtMs = base.provenEqualAtMs;
  if (options.ledger) {
    const remembered = await rememberInventory(options.ledger, ahead.value, { equal: result.drift.length === 0 });
    provenEqualAtMs = remembered.provenEqualAtMs;
  }
  return { ...base, provenEqualAtMs, ...result, method: 'live' };
}

function compared(
  leading: Inventory,
  following: Inventory,
): Pick<DependencyDrift, 'artifacts' | 'drift' | 'listed' | 'twins' | 'leadingListedAtMs'> {
  const differences = differencesBetween(leading, following);
  return {
    artifacts: leading.artifacts.filter((artifact) => artifact.class === 'carried').length,
    drift: driftOf(differences),
    listed: differences.filter((entry) => entry.class === 'listed'),
    twins: [...leading.twins, ...following.twins],
    leadingListedAtMs: leading.startedAtMs,
  };
}

async function syncOne(
  connector: ReplicatedConnector,
  leading: Site,
  options: ReplicatorOptions & { act: (name: string) => ActContext },
): Promise<{ before: DependencyDrift; applied: AppliedChange[]; after: DependencyDrift }> {
  const reading = { ...options, context: options.act(`list/${connector.dependency}`) };
  const before = await driftOfOne(connector, leading, reading);
  if (before.method !== 'live') return { before, applied: [], after: before };
  const changes = changesFor(before.drift, {
    kinds: connector.kinds,
    from: leading,
    deletions: options.deletions[connector.dependency] ?? 'report',
  });
  const applied: AppliedChange[] = [];
  for (const change of changes) {
    const done: AppliedChange = { ...change, dependency: connector.dependency };
    try {
      await connector.apply(
        change,
        options.act(`${change.action}/${connector.dependency}/${change.kind}/${change.key}`),
      );
      applied.push(done);
    } catch (error) {
      if (codeOf(error) === 'ACT_FENCED') throw error;
      applied.push({ ...done, error: errorOf(error) });
    }
  }
  const after = applied.length === 0 ? before : await driftOfOne(connector, leading, reading);
  return { before, applied, after };
}

function errorOf(thrown: unknown): { code: string; message: string } {
  return { code: codeOf(thrown), message: describeError(thrown) };
}
