// What the steps of a run see of the world: ports only, so that a simulation can stand in for each of them.

import type { Clock, Epoch, Finding, Randomness, Role, Site } from '#base';
import type { CanaryResult } from '#canary';
import type { Inventory, ReadContext, ScheduleControl, TraceStore, TrafficControl } from '#connectors';
import type { Authority, LeaseGrantor, Ledger } from '#ledger';
import type { Replicator } from '#replication';
import type { Stamp } from '#stamp';

/** How far a site's telemetry has come, per destination, as its own process reports it. */
export interface TelemetryProgress {
  /** Every exchange that began before this wall time is proven at that destination. */
  readonly provenThroughMs: number;
  readonly provenLagSeconds: number;
  readonly waitingRecords: number;
  readonly mode: string;
}

export interface SiteState {
  readonly site: Site;
  readonly role: Role | 'unknown';
  readonly epoch: Epoch | null;
  readonly mayAct: boolean;
  readonly telemetry: Readonly<Partial<Record<Site, TelemetryProgress>>>;
  /** Breaker phase per upstream, production lane only. */
  readonly breakers: Readonly<Record<string, string>>;
  /** Digest of the published routes. */
  readonly routes: string;
}

/** The process that runs in a site (gateway, relay), as the controller reaches it. */
export interface SiteAgent {
  state(context: ReadContext): Promise<SiteState>;
  /** Looks from inside the site: models reachable, a token really fetched. */
  probe(what: 'egress' | 'identity', context: ReadContext): Promise<Finding[]>;
  /** Tells the site the authority; it answers with the epoch it holds afterwards. */
  tell(authority: Authority, context: ReadContext): Promise<{ readonly epoch: Epoch | null; readonly mayAct: boolean }>;
  /** Asks the site to ship until everything durable now is proven wherever it can be reached. */
  flush(context: ReadContext): Promise<void>;
}

/** The last report of a site that reached the controller. */
export interface Heartbeat {
  readonly atMs: number;
  readonly telemetry: SiteState['telemetry'];
}

/** The ledger's grantor as steps see it. */
export type AuthorityDesk = Pick<
  LeaseGrantor,
  'authority' | 'move' | 'setRoles' | 'assertCurrent' | 'ranOut' | 'waitUntilRanOut' | 'acknowledge'
>;

export interface World {
  readonly stamp: Stamp;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly ledger: Ledger;
  readonly authority: AuthorityDesk;
  readonly agents: Readonly<Record<Site, SiteAgent>>;
  heartbeat(site: Site): Promise<Heartbeat | undefined>;
  readonly replicator: Replicator;
  readonly schedules: ScheduleControl;
  readonly traces: TraceStore;
  readonly traffic: TrafficControl;
  storageProbe(site: Site, context: ReadContext & { readonly act: string }): Promise<Finding>;
  /** Prompts through the site's gateway against the recorded baseline. */
  canary(site: Site, context: ReadContext): Promise<CanaryResult>;
  /** Rate limit and outage on the rehearsal lane of the site's gateway. */
  fallback(
    site: Site,
    context: ReadContext,
  ): Promise<{ readonly findings: readonly Finding[]; readonly traceIds: readonly string[] }>;
  /** One plain request through the public address; which site answered it, and in which mode. */
  askFromOutside(
    context: ReadContext,
  ): Promise<{ readonly site: string; readonly mode: string; readonly trace: string }>;
  log(line: { readonly code: string; readonly message: string }): void;
}

/** Inventories of both sites with what else must not change in a drill. */
export interface ProductionSnapshot {
  readonly inventories: readonly Inventory[];
  readonly authority: Authority;
  readonly enabled: Readonly<Record<Site, boolean>>;
  readonly sites: readonly Pick<SiteState, 'site' | 'role' | 'breakers' | 'routes'>[];
}
