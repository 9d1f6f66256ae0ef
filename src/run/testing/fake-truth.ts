// The world as it is, whoever looks at it: two sites with schedules, artifacts, traces and their own processes, and a front
// door. It outlives every instance of the controller, and keeps what took effect so that tests can count it.

import { Failure, sha256, type Epoch, type Role, type Site } from '#base';
import type { Artifact, Change, Schedule, StoredObservation } from '#connectors';

export interface SiteTruth {
  /** The whole region: nothing in it answers. */
  gone: boolean;
  readonly schedules: Map<string, Schedule>;
  readonly artifacts: Map<string, Artifact>;
  readonly traces: StoredObservation[];
  /** What the site's own process knows. */
  epoch: Epoch | null;
  role: Role | 'unknown';
  leaseUntilMs: number;
  provenThroughMs: number;
}

export class FakeTruth {
  readonly sites: Readonly<Record<Site, SiteTruth>> = { home: siteTruth(false), partner: siteTruth(true) };
  enabled: Readonly<Record<Site, boolean>> = { home: true, partner: false };
  /** Everything that changed the world, in order: `release partner nightly`. */
  readonly effects: string[] = [];
  readonly smokeRuns = new Map<string, string>();

  at(site: Site): SiteTruth {
    if (this.sites[site].gone) throw new Failure('UNREACHABLE', `${site} does not answer`);
    return this.sites[site];
  }

  hold(site: Site, job: string): void {
    this.#setPaused(site, job, true);
    this.effects.push(`hold ${site} ${job}`);
  }

  release(site: Site, job: string): void {
    const wanted = this.at(site).schedules.get(job)?.wantedPaused ?? true;
    this.#setPaused(site, job, wanted);
    this.effects.push(`release ${site} ${job}`);
  }

  apply(change: Change): void {
    const artifact = this.at(change.from).artifacts.get(change.key);
    if (!artifact) throw new Failure('SOURCE_GONE', `${change.key} is not at ${change.from}`);
    this.at(change.to).artifacts.set(change.key, artifact);
    this.effects.push(`${change.action} ${change.to} ${change.key}`);
  }

  /** What two runs must agree on to have ended in the same state. */
  summary(): unknown {
    return Object.fromEntries(
      Object.entries(this.sites).map(([name, site]) => [
        name,
        {
          schedules: [...site.schedules.values()].map((one) => `${one.job} ${one.paused ? 'paused' : 'awake'}`),
          artifacts: [...site.artifacts.values()].map((one) => `${one.key} ${one.digest}`).sort(),
          role: site.gone ? 'gone' : site.role,
          epoch: site.gone ? null : site.epoch,
        },
      ]),
    );
  }

  #setPaused(site: Site, job: string, paused: boolean): void {
    const { schedules } = this.at(site);
    const schedule = schedules.get(job);
    if (!schedule) throw new Failure('JOB_UNKNOWN', `${job} is not at ${site}`);
    schedules.set(job, { ...schedule, paused });
  }
}

export function artifact(key: string, content: string): Artifact {
  return { kind: 'thing', key, digest: sha256(content), class: 'carried' };
}

function siteTruth(held: boolean): SiteTruth {
  const schedule = (job: string, wantedPaused: boolean, after: readonly string[] = []): Schedule => ({
    job,
    jobId: `${job}-id`,
    form: 'schedule',
    paused: held || wantedPaused,
    wantedPaused,
    cron: { expression: '0 0 * * * ?', timeZone: 'UTC' },
    after,
  });
  const schedules = [schedule('nightly', false, ['features']), schedule('features', false), schedule('retired', true)];
  return {
    gone: false,
    schedules: new Map(schedules.map((one) => [one.job, one])),
    artifacts: new Map(['job', 'secret', 'prompt', 'blob'].map((key) => [key, artifact(key, 'v1')])),
    traces: [],
    epoch: null,
    role: 'unknown',
    leaseUntilMs: 0,
    provenThroughMs: 0,
  };
}
