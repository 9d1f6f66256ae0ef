// Status: one verdict, with what would block a failover right now and how to mend it.

import {
  describeError,
  formatEpoch,
  otherSite,
  sites,
  worstVerdict,
  type Finding,
  type Site,
  type Verdict,
} from '#base';
import type { ProbedConnector } from '#connectors';
import { recallInventory, type DependencyDrift } from '#replication';
import type { Heartbeat, RunState, SiteState, World } from '#run';
import { dependencyOf, milliseconds, type Stamp } from '#stamp';

export interface Status {
  readonly stamp: string;
  readonly verdict: Verdict;
  readonly epoch: string;
  readonly roles: Readonly<Record<Site, string>>;
  readonly sites: Readonly<Record<Site, SiteState | { readonly unreachable: string }>>;
  readonly heartbeats: Readonly<Record<Site, (Heartbeat & { readonly ageSeconds: number }) | null>>;
  /** Seconds since the standby was last proven equal, per dependency. */
  readonly lag: readonly {
    readonly dependency: string;
    readonly seconds: number | null;
    readonly targetSeconds: number;
  }[];
  readonly blockers: readonly Finding[];
  readonly openRun: string | null;
  readonly lastDrill: { readonly run: string; readonly atMs: number; readonly outcome: string } | null;
}

export async function statusOf(world: World, runs: readonly RunState[], signal: AbortSignal): Promise<Status> {
  const { stamp, clock } = world;
  const authority = world.authority.authority();
  const active = sites.find((site) => authority.roles[site] === 'active');
  const [home, partner] = await Promise.all(sites.map((site) => siteState(world, site, signal)));
  const states = { home: home ?? { unreachable: 'unknown' }, partner: partner ?? { unreachable: 'unknown' } };
  const lag = active ? await lagOf(world, active) : [];
  const drill = runs.findLast((run) => run.plan.kind === 'drill' && run.phase === 'finished');
  const blockers = blockersOf({ stamp, active, states, lag, drill, roles: authority.roles });
  const heartbeats = { home: await heartbeatOf(world, 'home'), partner: await heartbeatOf(world, 'partner') };
  return {
    stamp: stamp.name,
    verdict: blockers.length === 0 ? 'pass' : worstVerdict(blockers.map((finding) => finding.verdict)),
    epoch: formatEpoch(authority.epoch),
    roles: authority.roles,
    sites: states,
    heartbeats,
    lag,
    blockers,
    openRun: runs.find((run) => run.phase !== 'finished')?.run ?? null,
    lastDrill: drill
      ? { run: drill.run, atMs: drill.finishedAtMs ?? clock.wallMs(), outcome: drill.outcome ?? '' }
      : null,
  };
}

async function siteState(world: World, site: Site, signal: AbortSignal): Promise<SiteState | { unreachable: string }> {
  try {
    return await world.agents[site].state({ signal: AbortSignal.any([signal, AbortSignal.timeout(2_000)]) });
  } catch (error) {
    return { unreachable: describeError(error) };
  }
}

async function heartbeatOf(world: World, site: Site): Promise<(Heartbeat & { ageSeconds: number }) | null> {
  const heartbeat = await world.heartbeat(site);
  return heartbeat ? { ...heartbeat, ageSeconds: (world.clock.wallMs() - heartbeat.atMs) / 1_000 } : null;
}

async function lagOf(world: World, active: Site): Promise<Status['lag']> {
  const carried = [
    ['key-vault', 'secrets'],
    ['storage', 'storage'],
    ['databricks', 'artifacts'],
    ['langfuse', 'prompts'],
  ] as const;
  return Promise.all(
    carried.map(async ([kind, dataSet]) => {
      const dependency = dependencyOf(world.stamp, kind).id;
      const known = await recallInventory(world.ledger, dependency, active);
      const provenMs = known?.provenEqualAtMs ?? 0;
      return {
        dependency,
        seconds: provenMs === 0 ? null : Math.round((world.clock.wallMs() - provenMs) / 100) / 10,
        targetSeconds: milliseconds(world.stamp.targets.rpo[dataSet]) / 1_000,
      };
    }),
  );
}

function blockersOf(facts: {
  stamp: Stamp;
  active: Site | undefined;
  states: Status['sites'];
  lag: Status['lag'];
  drill: RunState | undefined;
  roles: Readonly<Record<Site, string>>;
}): Finding[] {
  const { stamp, active } = facts;
  const found: Finding[] = [];
  const add = (verdict: Verdict, subject: string, detail: string, mend: string): void =>
    void found.push({ verdict, subject, detail, mend });
  if (!active) add('fail', 'roles', 'no site is active', 'resume or abort the open run');
  if (active && facts.roles[otherSite(active)] === 'fenced') {
    add('fail', 'roles', `${otherSite(active)} is fenced`, 'bring the region back; standing orders make it standby');
  }
  if (active === stamp.control.site) {
    add('fail', 'controller', `it lives in ${active}, the active region`, 'fail back, or move the controller');
  }
  for (const site of sites) {
    const state = facts.states[site];
    if ('unreachable' in state)
      add(
        'fail',
        `site ${site}`,
        state.unreachable,
        site === active
          ? `start its process; if the region is lost: understudy failover`
          : `start the process of ${site}`,
      );
  }
  for (const lag of facts.lag) {
    if (lag.seconds === null) add('inconclusive', lag.dependency, 'never proven equal', 'run `understudy sync`');
    else if (lag.seconds > lag.targetSeconds) {
      add('fail', lag.dependency, `${lag.seconds} s behind, target ${lag.targetSeconds} s`, 'run `understudy sync`');
    }
  }
  if (!facts.drill) add('inconclusive', 'drill', 'no drill was ever finished', 'run `understudy drill`');
  return found;
}

// ---- assess: the same question from the stamp alone ----------------------------------------------------------------

export interface Assessment {
  readonly verdict: Verdict;
  /** Worst first. */
  readonly findings: readonly Finding[];
}

/** Reads both sites without ledger, gateway or writes: what would stop a failover now? */
export async function assess(options: {
  probed: readonly ProbedConnector[];
  drift: () => Promise<readonly DependencyDrift[]>;
  signal: AbortSignal;
}): Promise<Assessment> {
  const probes = options.probed.flatMap((connector) =>
    sites.map(async (site): Promise<Finding[]> => {
      try {
        const found = await connector.probe(site, { signal: options.signal });
        return found.map((finding) => ({
          ...finding,
          subject: finding.subject.includes(`at ${site}`) ? finding.subject : `${site}: ${finding.subject}`,
        }));
      } catch (error) {
        const subject = `${site}: ${connector.dependency}`;
        return [{ verdict: 'error', subject, detail: describeError(error), mend: 'see the detail' }];
      }
    }),
  );
  const findings = [...(await Promise.all(probes)).flat(), ...driftFindingsOf(await options.drift())];
  const rank: Record<Verdict, number> = { fail: 0, error: 1, inconclusive: 2, pass: 3 };
  findings.sort((a, b) => rank[a.verdict] - rank[b.verdict]);
  return { verdict: worstVerdict(findings.map((finding) => finding.verdict)), findings };
}

function driftFindingsOf(all: readonly DependencyDrift[]): Finding[] {
  return all.flatMap((drift): Finding[] => {
    const subject = `drift of ${drift.dependency}`;
    if (drift.method !== 'live') {
      const detail = drift.error?.message ?? 'it cannot be compared';
      return [
        {
          verdict: 'inconclusive',
          subject,
          detail,
          mend: 'make both sites readable with the credentials of the stamp',
        },
      ];
    }
    if (drift.drift.length === 0)
      return [{ verdict: 'pass', subject, detail: `${drift.artifacts} artifacts, none differs` }];
    const first = drift.drift.slice(0, 3).map((entry) => `${entry.kind} ${entry.key} is ${entry.difference}`);
    const detail = `${drift.drift.length} of ${drift.artifacts} artifacts differ: ${first.join(', ')}`;
    return [{ verdict: 'fail', subject, detail, mend: 'run `understudy sync`' }];
  });
}
