// Azure Blob Storage at both sites: the declared containers and their blobs are kept the same, up to a size above which
// object replication is the tool. Access rules, snapshots and versions are not carried.

import type { Clock, Finding, Site } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import { Acting } from '../azure/mod.ts';
import type { ProbedConnector, ReadContext, ReplicatedConnector } from '../port.ts';
import { applyStorage } from './apply.ts';
import { openAccount } from './client.ts';
import { inventoryStorage } from './inventory.ts';
import { probeStorage, writeReadProbe } from './probe.ts';

export interface StorageOptions {
  readonly dependency: DependencyOf<'storage'>;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  /** Deadline of one write; an act starts only while its lease outlasts it. Default 10 s, below the default lease. */
  readonly writeDeadlineMs?: number;
}

export interface StorageConnector extends ReplicatedConnector, ProbedConnector {
  readonly dependency: string;
  /** Writes a blob of its own into the probe container, reads it back and deletes it; nothing stays. `act` names it. */
  writeReadProbe(site: Site, context: ReadContext & { readonly act: string }): Promise<Finding>;
}

export function createStorage(options: StorageOptions): StorageConnector {
  const common = { ...options, acting: new Acting(), writeDeadlineMs: options.writeDeadlineMs ?? 10_000 };
  const parts = { ...common, accounts: { home: openAccount('home', common), partner: openAccount('partner', common) } };
  return {
    dependency: options.dependency.id,
    dataSet: 'storage',
    kinds: ['container', 'blob'],
    inventory: (site, _as, context) => inventoryStorage(site, context, parts),
    apply: (change, context) => applyStorage(change, context, parts),
    probe: (site, context) => probeStorage(site, context, parts),
    writeReadProbe: (site, context) => writeReadProbe(site, context, parts),
  };
}
