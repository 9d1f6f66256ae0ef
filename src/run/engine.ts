// Drives a run: starts every step that is ready, in parallel where the plan allows, and records each start before and each
// verdict after. It ends when the run is finished or stopped, and can be called again at any time after a crash.

import { codeOf, describeError, type Finding } from '#base';
import type { StepId } from '#stamp';
import type { RunEvent } from './events.ts';
import { isThrough, readySteps, type RunState } from './fold.ts';
import type { RunLog } from './log.ts';
import { announceAct, type StepContext, type StepResult, type StepVerb } from './step.ts';
import { outcomeOf } from './outcome.ts';
import { expiredGates } from './steps/approval.ts';
import type { World } from './world.ts';

export interface EngineOptions {
  readonly world: World;
  readonly verbs: Readonly<Record<StepId, StepVerb>>;
  readonly signal: AbortSignal;
}

/** Runs until the run is finished or stopped; rejects only when the signal aborts or the ledger fails. */
export async function driveRun(log: RunLog, options: EngineOptions): Promise<RunState> {
  const running = new Map<StepId, Promise<void>>();
  for (;;) {
    options.signal.throwIfAborted();
    const state = log.state;
    if (state.phase === 'finished') return state;
    if (state.phase === 'running') {
      for (const step of readySteps(state)) {
        if (running.has(step.id)) continue;
        const work = runStep(step.id, log, options).finally(() => running.delete(step.id));
        running.set(step.id, work);
      }
    }
    if (running.size === 0) return finish(log);
    await Promise.race(running.values());
  }
}

async function runStep(id: StepId, log: RunLog, options: EngineOptions): Promise<void> {
  const { world, signal } = options;
  const attempt = (log.state.steps[id]?.attempts ?? 0) + 1;
  await log.append([{ type: 'step-started', body: { step: id, attempt } }]);
  const startedMs = world.clock.monotonicMs();
  const result = await attemptStep(id, log, options);
  signal.throwIfAborted();
  const seconds = Math.round(world.clock.monotonicMs() - startedMs) / 1_000;
  const finished: RunEvent = { type: 'step-finished', body: { step: id, attempt, seconds, ...result } };
  const expired = id === 'approval' ? expiredGates(result.facts) : [];
  // Both at once: a crash between them would let the fence begin on gates that are too old.
  await log.append(
    expired.length === 0
      ? [finished]
      : [finished, { type: 'gates-expired', body: { steps: [...expired, 'approval'] } }],
  );
}

async function attemptStep(id: StepId, log: RunLog, options: EngineOptions): Promise<StepResult> {
  const { world, signal } = options;
  const context: StepContext = {
    world,
    log,
    state: () => log.state,
    step: id,
    signal,
    reading: (timeoutMs) => ({ signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) }),
    act: (name, timeoutMs) => announceAct({ world, log, step: id, signal }, name, timeoutMs),
  };
  try {
    return await options.verbs[id](context);
  } catch (error) {
    if (signal.aborted) throw error;
    const finding: Finding = {
      verdict: 'error',
      subject: id,
      detail: `${codeOf(error)}: ${describeError(error)}`,
      mend: 'mend the cause, then `understudy resume`',
    };
    return { verdict: 'error', findings: [finding], facts: {} };
  }
}

/** Nothing runs and nothing is ready: the run is through, or it stops at the first step that did not pass. */
async function finish(log: RunLog): Promise<RunState> {
  const state = log.state;
  if (state.phase !== 'running') return state;
  const blocking = state.plan.steps.find((step) => !isThrough(state, step.id));
  if (!blocking) {
    return log.append([{ type: 'run-finished', body: { outcome: outcomeOf(state), by: 'engine', reason: '' } }]);
  }
  const step = state.steps[blocking.id];
  const worst = step?.status === 'finished' ? step.findings.find((finding) => finding.verdict !== 'pass') : undefined;
  const reason = worst ? `${worst.subject}: ${worst.detail}` : 'it did not pass';
  return log.append([{ type: 'run-stopped', body: { step: blocking.id, reason } }]);
}
