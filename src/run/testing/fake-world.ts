// A world in memory for runs: the truth of two sites behind the ports, with a real ledger, a real grantor and a real
// replicator. Each instance of the controller gets ports of its own, which a kill switch can cut.

import { Failure, seededRandomness, sites, type Finding, type Site } from '#base';
import type { ReplicatedConnector, ScheduleControl, TraceStore, TrafficControl } from '#connectors';
import { LeaseGrantor, type Authority, type Ledger } from '#ledger';
import { createReplicator } from '#replication';
import type { Stamp } from '#stamp';
import type { SiteAgent, SiteState, World } from '../world.ts';
import type { FakeTruth } from './fake-truth.ts';
import { KillSwitch } from './kill-switch.ts';
import type { PromptClock } from './prompt-clock.ts';

export interface FakeWorldOptions {
  readonly truth: FakeTruth;
  readonly ledger: Ledger;
  readonly clock: PromptClock;
  readonly stamp: Stamp;
  readonly killSwitch?: KillSwitch;
  /** Called when a site is told a new authority: what happens in the world at that moment. */
  readonly onTold?: (site: Site, authority: Authority) => void;
  /** Replaces ports, to make one of them misbehave. */
  readonly replace?: Partial<World>;
}

export const leaseTtlMs = 3_000;

export interface FakeWorld {
  readonly world: World;
  readonly grantor: LeaseGrantor;
}

/** The ports of one instance of the controller. */
export async function fakeWorld(options: FakeWorldOptions): Promise<FakeWorld> {
  const { truth, clock, stamp } = options;
  const cut = options.killSwitch ?? new KillSwitch();
  const ledger = cut.port('ledger', options.ledger);
  const grantor = new LeaseGrantor({ ledger, clock, ttlMs: leaseTtlMs });
  await grantor.open();
  const parts = { ...options, grantor };
  const others = cut.port('world', otherPorts(parts), ['log']);
  const world: World = {
    stamp,
    clock,
    randomness: seededRandomness(7),
    ledger,
    authority: grantor,
    agents: { home: cut.port('home', agent('home', parts)), partner: cut.port('partner', agent('partner', parts)) },
    replicator: createReplicator({
      connectors: connectorsOf(truth, clock).map((one) => cut.port(one.dependency, one)),
      deletions: {},
      clock,
      ledger,
    }),
    schedules: cut.port('schedules', scheduleControl(truth)),
    traces: cut.port('traces', traceStore(truth)),
    traffic: cut.port('traffic', trafficControl(truth)),
    ...others,
    heartbeat: (site) => others.heartbeat(site),
    storageProbe: (site, context) => others.storageProbe(site, context),
    canary: (site, context) => others.canary(site, context),
    fallback: (site, context) => others.fallback(site, context),
    askFromOutside: (context) => others.askFromOutside(context),
    log: (line) => others.log(line),
    ...options.replace,
  };
  return { world, grantor };
}

interface Parts extends FakeWorldOptions {
  readonly grantor: LeaseGrantor;
}

function good(subject: string): Finding {
  return { verdict: 'pass', subject, detail: 'as it should be' };
}

/** A site's own process: it renews whenever it is asked something, as the real one does all the time. */
function agent(site: Site, parts: Parts): SiteAgent {
  const { truth, clock, grantor } = parts;
  const renew = async (): Promise<SiteState> => {
    const at = truth.at(site);
    const sentAtMs = clock.monotonicMs();
    const answer = await grantor.renew(site, at.epoch ?? undefined);
    const known = { role: answer.role, epoch: answer.epoch, leaseUntilMs: at.leaseUntilMs };
    Object.assign(at, known, answer.grant ? { leaseUntilMs: sentAtMs + answer.grant.ttlMs * 0.99 } : {});
    const progress = { provenThroughMs: at.provenThroughMs, provenLagSeconds: 0, waitingRecords: 0, mode: 'live' };
    return {
      site,
      role: at.role,
      epoch: at.epoch,
      mayAct: at.role === 'active' && clock.monotonicMs() < at.leaseUntilMs,
      telemetry: { home: progress, partner: progress },
      breakers: {},
      routes: 'routes-1',
    };
  };
  return {
    state: renew,
    async probe(what) {
      truth.at(site);
      return [good(`${what} of ${site}`)];
    },
    async tell(authority) {
      parts.onTold?.(site, authority);
      const { epoch, mayAct } = await renew();
      return { epoch, mayAct };
    },
    async flush() {
      truth.at(site).provenThroughMs = clock.wallMs();
    },
  };
}

function connectorsOf(truth: FakeTruth, clock: PromptClock): ReplicatedConnector[] {
  const connector = (key: string, dataSet: ReplicatedConnector['dataSet']): ReplicatedConnector => ({
    dependency: `${key}s`,
    dataSet,
    kinds: ['thing'],
    async inventory(site) {
      const found = truth.at(site).artifacts.get(key);
      const artifacts = found ? [found] : [];
      return { site, dependency: `${key}s`, startedAtMs: clock.wallMs(), artifacts, twins: [] };
    },
    async apply(change, context) {
      context.assertMayAct(1_000);
      truth.apply(change);
    },
  });
  return [
    connector('job', 'artifacts'),
    connector('secret', 'secrets'),
    connector('prompt', 'prompts'),
    connector('blob', 'storage'),
  ];
}

function scheduleControl(truth: FakeTruth): ScheduleControl {
  return {
    schedules: async (site) => [...truth.at(site).schedules.values()],
    hold: async (site, job) => truth.hold(site, job),
    async release(site, job, context) {
      context.assertMayAct(1_000);
      truth.release(site, job);
    },
    runsSince: async () => [],
    async smoke(site, context) {
      truth.at(site);
      context.assertMayAct(1_000);
      const runId = truth.smokeRuns.get(context.act) ?? `smoke-${truth.smokeRuns.size + 1}`;
      truth.smokeRuns.set(context.act, runId);
      return { ...good(`smoke job at ${site}`), runId };
    },
  };
}

function traceStore(truth: FakeTruth): TraceStore {
  return {
    health: async () => ({ version: '3' }),
    observations: async (site) => truth.at(site).traces,
    observationsOfTrace: async (site, traceId) => truth.at(site).traces.filter((one) => one.traceId === traceId),
    async export(site, otlpJson) {
      const [, traceId = ''] = /"traceId":"([0-9a-f]{32})"/.exec(otlpJson) ?? [];
      const [, id = ''] = /"spanId":"([0-9a-f]{16})"/.exec(otlpJson) ?? [];
      truth.at(site).traces.push({ id, traceId, name: 'marker', startTimeMs: 0, environment: 'understudy-drill' });
    },
  };
}

function trafficControl(truth: FakeTruth): TrafficControl {
  const answering = (): Site | undefined => sites.find((site) => truth.enabled[site] && !truth.sites[site].gone);
  return {
    enabled: async () => truth.enabled,
    async move(to, context) {
      context.assertMayAct(1_000);
      truth.enabled = { home: to === 'home', partner: to === 'partner' };
      truth.effects.push(`traffic ${to}`);
    },
    seenFromOutside: async () => answering(),
  };
}

type OtherPorts = Pick<World, 'heartbeat' | 'storageProbe' | 'canary' | 'fallback' | 'askFromOutside' | 'log'>;

function otherPorts({ truth, clock }: Parts): OtherPorts {
  return {
    heartbeat: async (site) => {
      const { provenThroughMs } = truth.sites[site];
      const progress = { provenThroughMs, provenLagSeconds: 1, waitingRecords: 0, mode: 'live' };
      return { atMs: clock.wallMs(), telemetry: { home: progress, partner: progress } };
    },
    storageProbe: async (site) => good(`storage of ${site}`),
    canary: async (site) => {
      truth.at(site);
      return { verdict: 'pass', mode: 'compare', prompts: [], findings: [good(`canary at ${site}`)] };
    },
    fallback: async (site) => ({ findings: [good(`fallback at ${site}`)], traceIds: [] }),
    askFromOutside: async () => {
      const site = sites.find((one) => truth.enabled[one] && !truth.sites[one].gone);
      if (!site) throw new Failure('NOT_ANSWERED', 'the public address answers with status 503');
      return { site, mode: 'normal', trace: 't' };
    },
    log: () => undefined,
  };
}
