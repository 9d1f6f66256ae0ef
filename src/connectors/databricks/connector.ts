// The Databricks connector: notebooks, jobs and cluster policies of both sites, their schedules, and whether they are usable.

import type { Clock, Randomness, Site } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import type { ProbedConnector, ReplicatedConnector, ScheduleControl } from '../port.ts';
import { applyChange, kinds } from './apply.ts';
import { databricksClient, type DatabricksClient } from './client.ts';
import { inventoryOf } from './inventory.ts';
import { probe } from './probe.ts';
import { regionMap } from './region-map.ts';
import { hold, release, runsSince, schedulesOf, smoke } from './switch.ts';

/** A create that took effect shows up in a listing well within this. */
const settleMsDefault = 2_000;
const callDeadlineMsDefault = 10_000;

export interface DatabricksOptions {
  readonly dependency: DependencyOf<'databricks'>;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** How long to wait before a create whose answer was lost is looked up, ms. Default 2,000. */
  readonly settleMs?: number;
  /** Deadline of each call, ms; a right to act has to outlast it, so keep it below `lease.ttl`. Default 10,000. */
  readonly callDeadlineMs?: number;
}

export type DatabricksConnector = ReplicatedConnector & ProbedConnector & ScheduleControl;

/** Holds no state but connections: what it must know later stands in tags of the jobs themselves. */
export function createDatabricks(options: DatabricksOptions): DatabricksConnector {
  const { dependency, clock } = options;
  const map = regionMap(dependency.regionMap);
  const clients = { home: clientOf(options, 'home'), partner: clientOf(options, 'partner') };
  const settleMs = options.settleMs ?? settleMsDefault;
  const { notebookRoots, smokeJob } = dependency;
  return {
    dependency: dependency.id,
    dataSet: 'artifacts',
    kinds,
    inventory: (site, as, context) =>
      inventoryOf(
        { site, as, client: clients[site], map },
        { dependency: dependency.id, notebookRoots, clock },
        context,
      ),
    apply: (change, context) => applyChange({ clients, map, notebookRoots, clock, settleMs }, change, context),
    probe: (site, context) => probe(clients[site], { smokeJob, tokenReference: dependency[site].token }, context),
    schedules: (site, context) => schedulesOf(clients[site], context),
    hold: (site, job, context) => hold(clients[site], job, context),
    release: (site, job, context) => release(clients[site], job, context),
    runsSince: (site, sinceMs, context) => runsSince(clients[site], sinceMs, context),
    smoke: (site, context) => smoke(clients[site], { job: smokeJob, clock }, context),
  };
}

function clientOf(options: DatabricksOptions, site: Site): DatabricksClient {
  const { url, token } = options.dependency[site];
  return databricksClient({
    site,
    url,
    callDeadlineMs: options.callDeadlineMs ?? callDeadlineMsDefault,
    token: (signal) => options.secrets.read(token, signal),
    clock: options.clock,
    randomness: options.randomness,
  });
}
