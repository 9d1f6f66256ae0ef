// The front door clients call: which site it sends them to, and how that is changed.

import type { Clock } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import type { ProbedConnector, TrafficControl } from '../port.ts';
import { openResourceManager } from './client.ts';
import { probeTraffic, siteSeenFromOutside } from './probe.ts';
import { moveTraffic, readEnabled } from './switch.ts';

export interface TrafficOptions {
  readonly dependency: DependencyOf<'traffic'>;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  /** Deadline of one write; an act starts only while its lease outlasts it. Default 10 s, below the default lease. */
  readonly writeDeadlineMs?: number;
}

export type TrafficConnector = ProbedConnector & TrafficControl;

export function createTraffic(options: TrafficOptions): TrafficConnector {
  const common = { ...options, writeDeadlineMs: options.writeDeadlineMs ?? 10_000 };
  const parts = { ...common, manager: openResourceManager(common) };
  return {
    dependency: options.dependency.id,
    probe: (site, context) => probeTraffic(site, context, parts),
    enabled: (context) => readEnabled(context, parts),
    move: (to, context) => moveTraffic(to, context, parts),
    seenFromOutside: (context) => siteSeenFromOutside(context, parts),
  };
}
