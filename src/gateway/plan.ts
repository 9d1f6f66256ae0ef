// The stamp's gateway section in the form the hot path reads: durations in milliseconds, upstreams resolved, digests
// computed. Made once when the gateway starts.

import { behaviorDigest } from '#behavior';
import type { BreakerPolicy } from '#resilience';
import { milliseconds, upstreamOf, type Route, type Rung, type Stamp, type Upstream } from '#stamp';

/** Probes that may pass at once while a breaker is half-open, and that must pass before it closes. */
const probesMax = 2;
/** Kept back from the deadline of a ladder that ends in a message: the message must still arrive within it. */
const messageReserveMsMax = 500;
const messageReserveShare = 0.1;

export interface UpstreamPlan {
  readonly id: string;
  readonly region: string;
  readonly origin: string;
  readonly path: string;
  /** Model name sent upstream; absent: what the client sent. */
  readonly model?: string;
  /** Reference, never the value. */
  readonly credential: string;
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly idleMs: number;
  readonly breaker: BreakerPolicy;
}

export type ModelRungName = Exclude<Rung['rung'], 'message'>;

export type RungPlan =
  | { readonly name: ModelRungName; readonly upstream: UpstreamPlan }
  | { readonly name: 'message'; readonly text: string };

export interface RoutePlan {
  readonly route: Route;
  readonly behavior: string;
  readonly rungs: readonly RungPlan[];
  /** For the rungs that call a model; a message comes within what is kept back. */
  readonly deadlineMs: number;
  readonly retryWaitMaxMs: number;
}

export interface Plan {
  readonly upstreams: readonly UpstreamPlan[];
  readonly routes: readonly RoutePlan[];
  readonly routeByModel: ReadonlyMap<string, RoutePlan>;
}

export function planOf(stamp: Stamp): Plan {
  const upstreams = new Map(stamp.gateway.upstreams.map((upstream) => [upstream.id, planUpstream(upstream)]));
  const routes = stamp.gateway.routes.map((route) => planRoute(stamp, route, upstreams));
  const routeByModel = new Map<string, RoutePlan>();
  for (const plan of routes) for (const model of plan.route.models) routeByModel.set(model, plan);
  return { upstreams: [...upstreams.values()], routes, routeByModel };
}

function planUpstream(upstream: Upstream): UpstreamPlan {
  const url = new URL(upstream.url);
  return {
    id: upstream.id,
    region: upstream.region,
    origin: url.origin,
    path: `${url.pathname.replace(/\/$/, '')}/chat/completions`,
    ...(upstream.model === undefined ? {} : { model: upstream.model }),
    credential: upstream.credential,
    connectMs: milliseconds(upstream.timeouts.connect),
    firstByteMs: milliseconds(upstream.timeouts.firstByte),
    idleMs: milliseconds(upstream.timeouts.idle),
    breaker: {
      failureRate: upstream.breaker.failureRate,
      callsMin: upstream.breaker.callsMin,
      windowMs: milliseconds(upstream.breaker.window),
      openForMs: milliseconds(upstream.breaker.openFor),
      probesMax,
    },
  };
}

function planRoute(stamp: Stamp, route: Route, upstreams: ReadonlyMap<string, UpstreamPlan>): RoutePlan {
  const rungs = route.ladder.map((rung): RungPlan => {
    if (rung.rung === 'message') return { name: rung.rung, text: rung.text };
    const upstream = upstreams.get(rung.upstream) ?? planUpstream(upstreamOf(stamp, rung.upstream));
    return { name: rung.rung, upstream };
  });
  const deadlineMs = milliseconds(route.deadline);
  const endsInMessage = rungs.some((rung) => rung.name === 'message');
  const reserveMs = endsInMessage ? Math.min(messageReserveMsMax, deadlineMs * messageReserveShare) : 0;
  return {
    route,
    behavior: behaviorDigest(route),
    rungs,
    deadlineMs: deadlineMs - reserveMs,
    retryWaitMaxMs: milliseconds(route.retryWaitMax),
  };
}
