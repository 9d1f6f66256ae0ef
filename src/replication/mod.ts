// replication: inventory → drift → sync. Connectors list and write; this folder compares, orders and remembers.
// Flow: list the leading and the following site, keep the leading listing in the ledger, apply the difference, list again.

export { changesFor, differencesBetween, driftOf, type Difference } from './drift.ts';
export { recallInventory, type KnownInventory } from './known.ts';
export {
  createReplicator,
  type AppliedChange,
  type DependencyDrift,
  type Replicator,
  type ReplicatorOptions,
  type SyncReport,
} from './replicator.ts';
