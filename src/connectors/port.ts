// What every connector offers to the folders below. One folder per vendor, the same file names in each; a connector
// knows both sites of its dependency and nothing of runs, replication or roles.

import type { Epoch, Finding, Site } from '#base';

/** Every vendor call has a signal; each connector sets its own per-call deadline below it. */
export interface ReadContext {
  readonly signal: AbortSignal;
}

/** A call that changes the world. */
export interface ActContext extends ReadContext {
  readonly epoch: Epoch;
  /** Unique per act and epoch (`run_x/schedules/nightly/1.2`): the vendor's idempotency token where it has one. */
  readonly act: string;
  /** Throws `ACT_FENCED` when the right to act does not outlast a call of `deadlineMs`. Called in the same turn as the
   * write, after every await. */
  assertMayAct(deadlineMs: number): void;
}

/** One thing that must be the same in both sites. */
export interface Artifact {
  /** `notebook`, `job`, `cluster-policy`, `secret`, `prompt-version`, `prompt-labels`, `container`, `blob`. */
  readonly kind: string;
  /** The same at both sites: a path, a name, `name@3`. */
  readonly key: string;
  /** SHA-256 (or HMAC for secrets) of the region-neutral canonical form. */
  readonly digest: string;
  /** carried: replicated; listed: seen and reported only, with the reason. */
  readonly class: 'carried' | 'listed';
  readonly reason?: string;
  /** What a person sees in a difference: the neutral form, or its parts. Never a secret value. */
  readonly view?: Readonly<Record<string, unknown>>;
}

export interface Inventory {
  readonly site: Site;
  readonly dependency: string;
  /** Wall time at which the listing began: everything older is in it. */
  readonly startedAtMs: number;
  readonly artifacts: readonly Artifact[];
  /** More than one object carrying the same marker: names of the younger ones. */
  readonly twins: readonly string[];
}

export type ChangeAction = 'create' | 'update' | 'delete';

export interface Change {
  readonly action: ChangeAction;
  readonly kind: string;
  readonly key: string;
  readonly from: Site;
  readonly to: Site;
}

/** A connector whose dependency holds artifacts. */
export interface ReplicatedConnector {
  readonly dependency: string;
  readonly dataSet: 'artifacts' | 'secrets' | 'prompts' | 'storage';
  /** Kinds in the order they must be applied (deletes run in reverse). */
  readonly kinds: readonly string[];
  /** `role`: whether the site is to be read as the leading or the following one (pause state is kept differently). */
  inventory(site: Site, as: 'leading' | 'following', context: ReadContext): Promise<Inventory>;
  /** Makes one artifact at `to` equal to the one at `from`. Applying twice changes nothing. */
  apply(change: Change, context: ActContext): Promise<void>;
}

/** Looks without touching: is this dependency usable at this site? */
export interface ProbedConnector {
  readonly dependency: string;
  probe(site: Site, context: ReadContext): Promise<Finding[]>;
}

// ---- what single steps of the runbook need ---------------------------------------------------------------------------

export interface Schedule {
  /** The job's artifact key (its name). */
  readonly job: string;
  readonly jobId: string;
  /** `schedule`, `continuous` or `trigger`. */
  readonly form: 'schedule' | 'continuous' | 'trigger';
  /** What the vendor does now. */
  readonly paused: boolean;
  /** What the owner wants while this stamp is active here. */
  readonly wantedPaused: boolean;
  /** When it fires by the clock (`form` schedule): Quartz expression and time zone. */
  readonly cron?: { readonly expression: string; readonly timeZone: string };
  /** Keys of jobs that must be released first (run_job_task references). */
  readonly after: readonly string[];
}

export interface JobRun {
  readonly job: string;
  readonly runId: string;
  readonly startedAtMs: number;
  /** PERIODIC, ONE_TIME, RETRY, RUN_JOB_TASK, FILE_ARRIVAL, CONTINUOUS … as the vendor says. */
  readonly trigger: string;
  readonly state: string;
}

export interface ScheduleControl {
  schedules(site: Site, context: ReadContext): Promise<Schedule[]>;
  /** Pauses without forgetting what the owner wanted. Holding one's own schedules is not an act. */
  hold(site: Site, job: string, context: ReadContext): Promise<void>;
  /** Gives a job back the state its owner wanted. */
  release(site: Site, job: string, context: ActContext): Promise<void>;
  /** Runs of carried jobs started at or after the given wall time. */
  runsSince(site: Site, sinceMs: number, context: ReadContext): Promise<JobRun[]>;
  /** Starts the declared smoke job and waits for its end. Idempotent per `context.act`. */
  smoke(site: Site, context: ActContext): Promise<Finding & { readonly runId?: string }>;
}

export interface TraceStore {
  /** Server kind and version, as far as it tells. */
  health(site: Site, context: ReadContext): Promise<{ readonly version: string }>;
  /** Which of these observations (traceId/spanId) can be read, and how often each. Answered by reading, never by a 200. */
  observations(
    site: Site,
    query: { readonly fromMs: number; readonly toMs: number },
    context: ReadContext,
  ): Promise<readonly StoredObservation[]>;
  /** Observations of one trace. */
  observationsOfTrace(site: Site, traceId: string, context: ReadContext): Promise<readonly StoredObservation[]>;
  /** Ships one OTLP/JSON export; resolves when the server has accepted it, rejects with `LANGFUSE_…` codes. */
  export(site: Site, otlpJson: string, context: ReadContext): Promise<void>;
}

export interface StoredObservation {
  readonly id: string;
  readonly traceId: string;
  readonly name: string;
  readonly startTimeMs: number;
  readonly environment: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly output?: string;
}

export interface TrafficControl {
  /** Which sites the front door sends clients to. */
  enabled(context: ReadContext): Promise<Readonly<Record<Site, boolean>>>;
  /** Enables `to` and disables the other; idempotent. */
  move(to: Site, context: ActContext): Promise<void>;
  /** Asks from outside, as a client does: which site answers? */
  seenFromOutside(context: ReadContext): Promise<Site | undefined>;
}

export interface SecretStore {
  read(site: Site, name: string, context: ReadContext): Promise<string>;
}
