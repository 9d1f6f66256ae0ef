// Folds a run's log into its state. Pure: recovery after a crash is this same fold.

import { assert, unreachable, type Epoch, type Finding, type Role, type Site, type Verdict } from '#base';
import type { AcceptedDoubleExecution, Plan, PlanStep } from '#runbook';
import type { StepId } from '#stamp';
import type { ApprovalStatement, Facts, LoggedRunEvent, RunOutcome, Signed } from './events.ts';

export type StepState =
  | { readonly status: 'pending'; readonly attempts: number }
  | { readonly status: 'running'; readonly attempts: number; readonly startedAtMs: number }
  | {
      readonly status: 'finished';
      readonly attempts: number;
      readonly startedAtMs: number;
      readonly endedAtMs: number;
      readonly seconds: number;
      readonly verdict: Verdict;
      readonly findings: readonly Finding[];
      readonly facts: Facts;
    };

export interface RunState {
  readonly run: string;
  readonly plan: Plan;
  readonly planHash: string;
  readonly initiator: string;
  readonly reason: string;
  readonly incidentAtMs: number;
  readonly openedAtMs: number;
  /** The epoch the run began under, and the one it holds now. */
  readonly epochBefore: Epoch;
  readonly epoch: Epoch;
  readonly roles: Readonly<Record<Site, Role>> | undefined;
  readonly phase: 'running' | 'stopped' | 'finished';
  readonly stoppedAt: { readonly step: StepId; readonly reason: string } | undefined;
  readonly outcome: RunOutcome | undefined;
  readonly finishedAtMs: number | undefined;
  readonly steps: Readonly<Partial<Record<StepId, StepState>>>;
  readonly approvals: readonly { readonly atMs: number; readonly signed: Signed<ApprovalStatement> }[];
  readonly overrides: readonly { readonly atMs: number; readonly signed: Signed<ApprovalStatement> }[];
  /** Double executions accepted by name: in the plan, and since. */
  readonly accepted: readonly AcceptedDoubleExecution[];
  readonly sealed: { readonly file: string; readonly head: string } | undefined;
  readonly addenda: readonly { readonly file: string; readonly head: string; readonly what: string }[];
  readonly sequence: number;
}

export function foldRun(events: readonly LoggedRunEvent[]): RunState {
  let state: RunState | undefined;
  for (const event of events) state = event.type === 'run-opened' ? opened(event) : moved(state, event);
  assert(state, 'a run has at least its opening event');
  return state;
}

function opened(event: LoggedRunEvent & { type: 'run-opened' }): RunState {
  const { body } = event;
  const steps: Partial<Record<StepId, StepState>> = {};
  for (const step of body.plan.steps) steps[step.id] = { status: 'pending', attempts: 0 };
  return {
    run: body.run,
    plan: body.plan,
    planHash: body.planHash,
    initiator: body.initiator,
    reason: body.reason,
    incidentAtMs: body.incidentAtMs,
    openedAtMs: event.atMs,
    epochBefore: body.epoch,
    epoch: body.epoch,
    roles: undefined,
    phase: 'running',
    stoppedAt: undefined,
    outcome: undefined,
    finishedAtMs: undefined,
    steps,
    approvals: [],
    overrides: [],
    accepted: body.plan.accepted,
    sealed: undefined,
    addenda: [],
    sequence: event.sequence,
  };
}

function moved(before: RunState | undefined, event: Exclude<LoggedRunEvent, { type: 'run-opened' }>): RunState {
  assert(before, 'the first event of a run opens it');
  const state = { ...before, sequence: event.sequence };
  switch (event.type) {
    case 'step-started':
      return withStep(state, event.body.step, {
        status: 'running',
        attempts: event.body.attempt,
        startedAtMs: event.atMs,
      });
    case 'act-announced':
      return state;
    case 'step-finished': {
      const { step, attempt, ...rest } = event.body;
      const running = state.steps[step];
      const startedAtMs = running?.status === 'running' ? running.startedAtMs : event.atMs;
      return withStep(state, step, {
        status: 'finished',
        attempts: attempt,
        startedAtMs,
        endedAtMs: event.atMs,
        ...rest,
      });
    }
    case 'gates-expired':
      return event.body.steps.reduce(reopened, state);
    case 'approval-given':
      return { ...state, approvals: [...state.approvals, { atMs: event.atMs, signed: event.body.signed }] };
    case 'override-given':
      return { ...state, overrides: [...state.overrides, { atMs: event.atMs, signed: event.body.signed }] };
    case 'authority-moved':
      return { ...state, epoch: event.body.epoch, roles: event.body.roles };
    case 'run-stopped':
      return { ...state, phase: 'stopped', stoppedAt: event.body };
    case 'run-resumed':
      return { ...reopenedUnpassed(state), phase: 'running', stoppedAt: undefined };
    case 'double-execution-accepted':
      return { ...state, accepted: [...state.accepted, event.body] };
    case 'run-finished':
      return { ...state, phase: 'finished', outcome: event.body.outcome, finishedAtMs: event.atMs };
    case 'run-sealed':
      return { ...state, sealed: event.body };
    case 'addendum-sealed':
      return { ...state, addenda: [...state.addenda, event.body] };
    default:
      return unreachable(event);
  }
}

function withStep(state: RunState, step: StepId, value: StepState): RunState {
  return { ...state, steps: { ...state.steps, [step]: value } };
}

function reopened(state: RunState, step: StepId): RunState {
  return withStep(state, step, { status: 'pending', attempts: state.steps[step]?.attempts ?? 0 });
}

/** On resume every step that did not pass and was not overridden is open again. */
function reopenedUnpassed(state: RunState): RunState {
  return state.plan.steps
    .map((step) => step.id)
    .filter((id) => state.steps[id]?.status === 'finished' && !isThrough(state, id))
    .reduce(reopened, state);
}

/** Whether a step lets the run go on: it passed, or enough people overrode its verdict by name. */
export function isThrough(state: RunState, id: StepId): boolean {
  const step = state.steps[id];
  if (step?.status !== 'finished') return false;
  return step.verdict === 'pass' || isOverridden(state, id);
}

/** Gates whose verdict people may pass over: not the declaration, and not the approval itself. */
export function mayBeOverridden(state: RunState, id: StepId): boolean {
  const step = state.plan.steps.find((candidate) => candidate.id === id);
  return step?.gate === true && id !== 'approval' && id !== 'declare';
}

/** People who signed to pass over a gate's verdict; two different ones are needed, and only gates can be passed over. */
export function isOverridden(state: RunState, id: StepId): boolean {
  if (!mayBeOverridden(state, id)) return false;
  const people = state.overrides.filter(
    ({ signed }) => signed.statement.override === id && signed.statement.decision === 'approve',
  );
  return new Set(people.map((entry) => entry.signed.person)).size >= 2;
}

/** Steps that can start now. */
export function readySteps(state: RunState): PlanStep[] {
  return state.plan.steps.filter((step) => {
    if (state.steps[step.id]?.status === 'finished') return false;
    return step.after.every((before) => isThrough(state, before));
  });
}

/** People whose approval stands at `atMs`, in order; one per person, none from the initiator. */
export function standingApprovals(state: RunState, atMs: number): { person: string; atMs: number }[] {
  const byPerson = new Map<string, { person: string; atMs: number }>();
  for (const entry of state.approvals) {
    const { person, statement } = entry.signed;
    if (statement.decision !== 'approve' || statement.expiresAtMs <= atMs || person === state.initiator) continue;
    if (!byPerson.has(person)) byPerson.set(person, { person, atMs: entry.atMs });
  }
  return [...byPerson.values()];
}

/** The facts a finished step left. */
export function factsOf(state: RunState, id: StepId): Facts {
  const step = state.steps[id];
  return step?.status === 'finished' ? step.facts : {};
}
