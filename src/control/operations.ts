// Operations: the only door that changes the world. Each checks who asks, whether it may be done now, and records it.

import { codeOf, compareEpochs, Failure, formatEpoch, otherSite, randomHex, sites, type Site } from '#base';
import type { ActContext } from '#connectors';
import type { LeaseGrantor } from '#ledger';
import { compilePlan, planHash, type AcceptedDoubleExecution, type RunKind } from '#runbook';
import {
  defaultVerbs,
  driveRun,
  listRuns,
  newRunId,
  RunLog,
  type ApprovalStatement,
  type RunState,
  type Signed,
  type World,
} from '#run';
import type { DependencyDrift, SyncReport } from '#replication';
import { personOf } from '#stamp';
import { checkApproval } from './signed.ts';
import { sealRun, type SealSources } from './seal-run.ts';

export interface OperationsOptions extends SealSources {
  readonly world: World;
  readonly grantor: LeaseGrantor;
  readonly stampDigest: string;
  /** Aborts when the controller stops: runs stay in the log and go on at the next start. */
  readonly signal: AbortSignal;
}

export interface StartRequest {
  readonly kind: RunKind;
  readonly by: string;
  readonly reason: string;
  /** Default: now. */
  readonly incidentAtMs?: number;
  readonly accept?: readonly { readonly job: string; readonly reason: string }[];
}

const syncTimeoutMs = 300_000;

export class Operations {
  readonly #options: OperationsOptions;
  readonly #logs = new Map<string, RunLog>();
  readonly #driving = new Map<string, { done: Promise<void>; abort: AbortController }>();
  #opening: Promise<unknown> = Promise.resolve();

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** Takes up every run that a crash left open, and seals what was finished and not sealed. */
  async takeUp(): Promise<void> {
    for (const state of await listRuns(this.#options.world.ledger)) {
      const log = await this.log(state.run);
      if (state.phase === 'running') this.#drive(log);
      else if (state.phase === 'finished' && !state.sealed) await sealRun(log, this.#options);
    }
  }

  async log(run: string): Promise<RunLog> {
    const known = this.#logs.get(run);
    if (known) return known;
    const log = await RunLog.load(this.#options.world.ledger, run);
    const raced = this.#logs.get(run);
    if (raced) return raced;
    this.#logs.set(run, log);
    return log;
  }

  runs(): Promise<RunState[]> {
    return listRuns(this.#options.world.ledger);
  }

  /** Opens a run; one at a time. */
  start(request: StartRequest): Promise<RunState> {
    const opened = this.#opening.then(() => this.#start(request));
    this.#opening = opened.catch(() => undefined);
    return opened;
  }

  async #start(request: StartRequest): Promise<RunState> {
    const { world, stamp, stampDigest } = this.#options;
    this.#require(request.by, 'initiate');
    if (request.incidentAtMs !== undefined && request.incidentAtMs > world.clock.wallMs()) {
      throw new Failure('INCIDENT_IN_FUTURE', 'the incident is declared later than now', { hint: 'check the clock' });
    }
    const open = (await this.runs()).find((state) => state.phase !== 'finished');
    if (open) {
      throw new Failure('RUN_OPEN', `${open.run} (${open.plan.kind}) is ${open.phase}; one run at a time`, {
        hint: `see it with \`understudy runs ${open.run}\`, then resume or abort it`,
      });
    }
    const authority = world.authority.authority();
    const { from, to } = directionOf(request.kind, authority.roles);
    const accepted: AcceptedDoubleExecution[] = (request.accept ?? []).map((entry) => ({ ...entry, by: request.by }));
    const plan = compilePlan({ stamp, stampDigest, kind: request.kind, from, to, accepted });
    const run = newRunId(world);
    const log = await RunLog.open(world.ledger, {
      type: 'run-opened',
      body: {
        run,
        plan,
        planHash: planHash(plan),
        initiator: request.by,
        reason: request.reason,
        incidentAtMs: request.incidentAtMs ?? world.clock.wallMs(),
        epoch: authority.epoch,
      },
    });
    this.#logs.set(run, log);
    this.#drive(log);
    return log.state;
  }

  async approve(run: string, by: string, signed: Signed<ApprovalStatement>): Promise<RunState> {
    this.#require(by, 'approve');
    const log = await this.log(run);
    if (signed.person !== by) throw new Failure('APPROVAL_OF_OTHER_PERSON', `${by} cannot approve as ${signed.person}`);
    await checkApproval(signed, {
      ...this.#options,
      state: log.state,
      nowMs: this.#options.world.clock.wallMs(),
      epoch: formatEpoch(log.state.epochBefore),
    });
    const override = signed.statement.override !== undefined;
    const state = await log.append([{ type: override ? 'override-given' : 'approval-given', body: { signed } }]);
    if (signed.statement.decision === 'reject') return this.abort(run, by, `rejected: ${signed.statement.comment}`);
    return state;
  }

  /** Goes on with a stopped run; `accept` names jobs whose double execution the person accepts from now on. */
  async resume(run: string, by: string, accept: NonNullable<StartRequest['accept']> = []): Promise<RunState> {
    this.#require(by, 'operate');
    const log = await this.log(run);
    const left = log.state.phase === 'running' && !this.#driving.has(run);
    if (log.state.phase !== 'stopped' && !left) {
      throw new Failure('RUN_NOT_STOPPED', `${run} is ${log.state.phase}; only a stopped run can be resumed`);
    }
    if (accept.length > 0) this.#require(by, 'approve');
    const accepted = accept.map((entry) => ({ type: 'double-execution-accepted' as const, body: { ...entry, by } }));
    const state = await log.append([...accepted, { type: 'run-resumed', body: { by } }]);
    this.#drive(log);
    return state;
  }

  /** Ends a run. Until traffic moved, a fenced region gets its role back under a new epoch. */
  async abort(run: string, by: string, reason: string): Promise<RunState> {
    this.#require(by, by === 'controller' ? undefined : 'operate');
    const log = await this.log(run);
    if (log.state.phase === 'finished') throw new Failure('RUN_FINISHED', `${run} has ended: ${log.state.outcome}`);
    if (log.state.steps.traffic?.status === 'running' || log.state.roles?.[log.state.plan.to] === 'active') {
      throw new Failure('RUN_PAST_UNDO', `${run} has begun to move traffic; resume it, then fail back`);
    }
    const driving = this.#driving.get(run);
    driving?.abort.abort(new Failure('ABORTED', `aborted by ${by}`));
    await driving?.done;
    await this.#undoFence(log);
    const undone = compareEpochs(log.state.epoch, log.state.epochBefore) > 0;
    const state = await log.append([
      { type: 'run-finished', body: { outcome: undone ? 'undone' : 'aborted', by, reason } },
    ]);
    await sealRun(log, this.#options);
    return state;
  }

  async drift(): Promise<{ leading: Site; dependencies: DependencyDrift[] }> {
    const leading = this.#active();
    const context = { signal: AbortSignal.timeout(syncTimeoutMs) };
    return { leading, dependencies: await this.#options.world.replicator.drift(leading, context) };
  }

  /** Brings the standby up to date, once. `by` is a person, or `controller` for the continuous loop. */
  async sync(by: string): Promise<SyncReport> {
    this.#require(by, by === 'controller' ? undefined : 'operate');
    const { world } = this.#options;
    const leading = this.#active();
    if (world.authority.authority().roles[otherSite(leading)] === 'fenced' && by !== 'controller') {
      throw new Failure('STANDBY_FENCED', `${otherSite(leading)} is fenced; standing orders bring it up to date`);
    }
    const id = randomHex(4, world.randomness);
    return world.replicator.sync(leading, (name) => this.#act(`sync-${id}/${name}`, syncTimeoutMs));
  }

  /** Resolves when no run is being driven any more. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#driving.values()].map((entry) => entry.done));
  }

  #act(act: string, timeoutMs: number): ActContext {
    const { world, signal } = this.#options;
    const { epoch } = world.authority.authority();
    return {
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      epoch,
      act: `${act}/${formatEpoch(epoch)}`,
      assertMayAct: () => world.authority.assertCurrent(epoch),
    };
  }

  #active(): Site {
    const { roles } = this.#options.world.authority.authority();
    const active = sites.find((site) => roles[site] === 'active');
    if (!active)
      throw new Failure('NO_ACTIVE_SITE', 'no site is active: a run is between fence and traffic', { next: 'retry' });
    return active;
  }

  #require(by: string, right: 'initiate' | 'approve' | 'operate' | undefined): void {
    if (right === undefined) return;
    const person = personOf(this.#options.stamp, by);
    if (!person?.may.includes(right)) {
      throw new Failure('FORBIDDEN', `${by} may not ${right} in this stamp`, { hint: 'see `people` in the stamp' });
    }
  }

  /** Drives a run; a drive that is just ending is waited for, so that a resume right after a stop is not lost. */
  #drive(log: RunLog): void {
    const before = this.#driving.get(log.run)?.done ?? Promise.resolve();
    const abort = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, abort.signal]);
    const done = before
      .then(() => driveRun(log, { world: this.#options.world, verbs: defaultVerbs, signal }))
      .then(async (state) => {
        if (state.phase === 'finished') await sealRun(log, this.#options);
      })
      .catch((error: unknown) => {
        if (signal.aborted) return;
        this.#options.world.log({ code: codeOf(error), message: `run ${log.run}: ${String(error)}` });
      })
      .finally(() => {
        if (this.#driving.get(log.run)?.abort === abort) this.#driving.delete(log.run);
      });
    this.#driving.set(log.run, { done, abort });
  }

  async #undoFence(log: RunLog): Promise<void> {
    const { state } = log;
    const { world } = this.#options;
    const authority = world.authority.authority();
    if (authority.roles[state.plan.from] !== 'fenced' || authority.by !== state.run) return;
    const roles = { ...authority.roles, [state.plan.from]: 'active' as const };
    const epoch = { ...authority.epoch, number: authority.epoch.number + 1 };
    await log.appendBy([{ type: 'authority-moved', body: { epoch, roles, why: 'undo' } }], (append) =>
      world.authority.move({ expected: authority.epoch, roles, by: log.run }, append),
    );
    try {
      const act = this.#act(`${log.run}/undo`, syncTimeoutMs);
      for (const schedule of await world.schedules.schedules(state.plan.from, act)) {
        if (!schedule.wantedPaused && schedule.paused)
          await world.schedules.release(state.plan.from, schedule.job, act);
      }
    } catch (error) {
      // The region may be gone: its role is back, and its schedules wait for a person who releases them there.
      world.log({ code: codeOf(error), message: `undo of ${log.run}: schedules of ${state.plan.from} stay held` });
    }
  }
}

/** From which site to which a run of this kind leads. */
function directionOf(kind: RunKind, roles: Readonly<Record<Site, string>>): { from: Site; to: Site } {
  const active = sites.find((site) => roles[site] === 'active');
  if (!active) throw new Failure('NO_ACTIVE_SITE', 'no site is active: another run is between fence and traffic');
  if (kind === 'failback' && active === 'home') {
    throw new Failure('NOTHING_TO_FAIL_BACK', 'home is active; there is nothing to fail back', {
      hint: 'use `understudy switchover` to move to the partner',
    });
  }
  return { from: active, to: otherSite(active) };
}
