// Runs and what starts them: cron ticks, continuous jobs, run-now, run_job_task. On a start of the process continuous jobs
// fire at once and cron jobs at their next tick; what was missed meanwhile is not caught up.

import { isRecord, type Clock } from '#base';
import type { VendorLedger } from '../kit/mod.ts';
import { integerText } from './json.ts';
import { nextFiring, type CronSchedule } from './quartz.ts';
import type { Job, Run, Settings, Store } from './store.ts';

/** `setTimeout` holds no longer wait than this; the timer is then armed again. */
const timerMsMax = 2_147_483_647;
const backoffMsMax = 60_000;
/** Run Job tasks nest no deeper (REST reference, run_job_task). */
const nestingMax = 3;

export type Trigger = 'PERIODIC' | 'CONTINUOUS' | 'ONE_TIME' | 'RUN_JOB_TASK';

export interface RunsOptions {
  readonly store: Store;
  readonly ledger: VendorLedger;
  readonly clock: Clock;
  /** How long a run executes. */
  readonly runMs: number;
}

export interface StartOptions {
  readonly trigger: Trigger;
  /** Records `job-run-started` as an effect of a call; without it the vendor acted by itself. */
  readonly effect?: (type: string, key: string, detail: Record<string, unknown>) => void;
  readonly creator?: string;
  readonly token?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** How many run_job_tasks lie above this run. Default 0. */
  readonly depth?: number;
}

export class Runs {
  readonly #options: RunsOptions;
  readonly #timers = new Map<string, () => void>();
  /** Failures in a row of a continuous job: it is started again ever later. */
  readonly #failures = new Map<string, number>();

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  /** What the service does when it comes back. Runs that were under way were lost with their compute. */
  resume(): void {
    const { store, clock } = this.#options;
    for (const run of store.activeRuns()) {
      store.putRun({
        ...run,
        lifeCycle: 'INTERNAL_ERROR',
        result: 'FAILED',
        message: 'The run was lost with its compute.',
        endedAt: clock.wallMs(),
      });
    }
    for (const job of store.jobs()) this.jobChanged(job.jobId);
  }

  stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  /** Arms what the job's settings ask for now; to be called after every change of the job. */
  jobChanged(jobId: string): void {
    this.#disarm(`fire ${jobId}`);
    const job = this.#options.store.job(jobId);
    if (!job) return;
    const schedule = unpaused(job.settings, 'schedule');
    if (schedule) this.#armCron(job, schedule as unknown as CronSchedule);
    if (unpaused(job.settings, 'continuous') && !this.#isActive(jobId)) {
      this.#failures.delete(jobId);
      this.start(job, { trigger: 'CONTINUOUS' });
    }
  }

  start(job: Job, options: StartOptions): Run {
    const { store, clock, runMs } = this.#options;
    const full = this.#activeCount(job.jobId) >= Number(job.settings['max_concurrent_runs'] ?? 1);
    const ordinal = store.nextOrdinal();
    const run: Run = {
      runId: store.idOf('run', ordinal),
      ordinal,
      jobId: job.jobId,
      name: String(job.settings['name']),
      creator: options.creator ?? job.creator,
      trigger: options.trigger,
      startedAt: clock.wallMs(),
      endedAt: full ? clock.wallMs() : 0,
      lifeCycle: full ? 'SKIPPED' : 'RUNNING',
      result: '',
      message: full ? 'Skipped: the maximum number of concurrent runs was reached.' : '',
      token: options.token ?? null,
      parameters: options.parameters ?? {},
      children: [],
    };
    store.putRun(run);
    this.#record(full ? 'job-run-skipped' : 'job-run-started', run, options.effect);
    if (full) return run;
    const withChildren = this.#startChildren(job, run, options.depth ?? 0);
    this.#arm(`end ${run.runId}`, runMs, () => this.#finish(run.runId));
    return withChildren;
  }

  cancel(run: Run): void {
    if (run.lifeCycle !== 'RUNNING') return;
    this.#end(run, { lifeCycle: 'TERMINATED', result: 'CANCELED', message: 'Run cancelled.' });
  }

  #startChildren(job: Job, run: Run, depth: number): Run {
    const { store } = this.#options;
    const children: string[] = [];
    for (const task of tasksOf(job.settings)) {
      const reference = task['run_job_task'];
      const other = store.job((isRecord(reference) && integerText(reference['job_id'])) || '');
      if (other && depth < nestingMax) {
        children.push(this.start(other, { trigger: 'RUN_JOB_TASK', depth: depth + 1 }).runId);
      }
    }
    const withChildren = { ...run, children };
    store.putRun(withChildren);
    return withChildren;
  }

  #finish(runId: string): void {
    const { store, runMs } = this.#options;
    const run = store.run(runId);
    if (!run || run.lifeCycle !== 'RUNNING') return;
    const children = run.children.map((child) => store.run(child));
    if (children.some((child) => child?.lifeCycle === 'RUNNING')) {
      this.#arm(`end ${runId}`, runMs, () => this.#finish(runId));
      return;
    }
    const failure = this.#failureOf(store.job(run.jobId), children);
    if (failure === undefined) this.#end(run, { lifeCycle: 'TERMINATED', result: 'SUCCESS', message: '' });
    // A failed task makes the run INTERNAL_ERROR in the old `state` (databricks/cli test server, measured there).
    else this.#end(run, { lifeCycle: 'INTERNAL_ERROR', result: 'FAILED', message: failure });
  }

  #failureOf(job: Job | undefined, children: readonly (Run | undefined)[]): string | undefined {
    for (const task of tasksOf(job?.settings ?? {})) {
      const key = String(task['task_key']);
      const notebook = task['notebook_task'];
      if (isRecord(notebook) && notebook['source'] !== 'GIT') {
        const path = String(notebook['notebook_path']).replace(/^\/Workspace(?=\/)/, '');
        if (this.#options.store.object(path)?.type !== 'NOTEBOOK') {
          return `Task ${key} failed with message: Unable to access the notebook "${path}".`;
        }
      }
      const reference = task['run_job_task'];
      if (isRecord(reference) && !this.#options.store.job(integerText(reference['job_id']) ?? '')) {
        return `Task ${key} failed with message: the job to run does not exist.`;
      }
    }
    return children.every((child) => child?.result === 'SUCCESS') ? undefined : 'A job started by this run failed.';
  }

  #end(run: Run, outcome: Pick<Run, 'lifeCycle' | 'result' | 'message'>): void {
    const { store, clock, runMs } = this.#options;
    this.#disarm(`end ${run.runId}`);
    store.putRun({ ...run, ...outcome, endedAt: clock.wallMs() });
    const job = store.job(run.jobId);
    if (!job || !unpaused(job.settings, 'continuous') || this.#isActive(job.jobId)) return;
    const failures = outcome.result === 'FAILED' ? (this.#failures.get(job.jobId) ?? 0) + 1 : 0;
    this.#failures.set(job.jobId, failures);
    const waitMs = failures === 0 ? 0 : Math.min(runMs * 2 ** failures, backoffMsMax);
    this.#arm(`fire ${job.jobId}`, waitMs, () => {
      const current = store.job(job.jobId);
      if (current && unpaused(current.settings, 'continuous') && !this.#isActive(job.jobId)) {
        this.start(current, { trigger: 'CONTINUOUS' });
      }
    });
  }

  #armCron(job: Job, schedule: CronSchedule): void {
    const { clock, store } = this.#options;
    const dueMs = nextFiring(schedule, clock.wallMs());
    if (dueMs === undefined) return;
    const waitMs = Math.max(dueMs - clock.wallMs(), 0);
    this.#arm(`fire ${job.jobId}`, Math.min(waitMs, timerMsMax), () => {
      const current = store.job(job.jobId);
      if (!current) return;
      if (clock.wallMs() < dueMs) return this.#armCron(current, schedule);
      this.start(current, { trigger: 'PERIODIC' });
      this.#armCron(current, schedule);
    });
  }

  #record(type: string, run: Run, effect: StartOptions['effect']): void {
    const detail = { jobId: run.jobId, runId: run.runId, trigger: run.trigger };
    if (effect) effect(type, run.name, detail);
    else {
      const { ledger, clock } = this.#options;
      ledger.effect({ askedId: null, atMs: clock.wallMs(), type, key: run.name, epoch: null, detail });
    }
  }

  #isActive(jobId: string): boolean {
    return this.#activeCount(jobId) > 0;
  }

  #activeCount(jobId: string): number {
    return this.#options.store.activeRuns().filter((run) => run.jobId === jobId).length;
  }

  #arm(name: string, waitMs: number, action: () => void): void {
    this.#disarm(name);
    const cancel = this.#options.clock.after(waitMs, () => {
      this.#timers.delete(name);
      action();
    });
    this.#timers.set(name, cancel);
  }

  #disarm(name: string): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}

function unpaused(settings: Settings, form: 'schedule' | 'continuous'): Settings | undefined {
  const value = settings[form];
  return isRecord(value) && value['pause_status'] === 'UNPAUSED' ? value : undefined;
}

function tasksOf(settings: Settings): Settings[] {
  return (settings['tasks'] as Settings[] | undefined) ?? [];
}
