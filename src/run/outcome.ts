// What a run amounted to: its outcome, RTO split into its parts, and RPO per data set as a bound with its method.

import { isOverridden, factsOf, standingApprovals, type RunState } from './fold.ts';
import type { RunOutcome } from './events.ts';

/** "completed with override" is not "completed". */
export function outcomeOf(state: RunState): RunOutcome {
  const overridden = state.plan.steps.some((step) => {
    const found = state.steps[step.id];
    return found?.status === 'finished' && found.verdict !== 'pass' && isOverridden(state, step.id);
  });
  return overridden ? 'completed with override' : 'completed';
}

export interface RtoSeconds {
  /** From the incident to the declaration. */
  readonly detect: number;
  /** From the declaration to the last required approval. */
  readonly decide: number;
  /** From there until traffic was seen at the new region. */
  readonly execute: number;
  /** From there to the end of the watch. */
  readonly verify: number;
  readonly total: number;
}

export interface RpoBound {
  /** Up to the fence: nothing older than this before it can be missing. null: unknown. */
  readonly boundSeconds: number | null;
  readonly method: string;
  /**
   * The part up to the last sign of life of a region that was silent at the fence; what the target is judged by, because
   * the time people take to decide loses nothing that a silent region accepted.
   */
  readonly lastSignSeconds?: number;
}

/** The parts of the recovery time; undefined until the run has come far enough to have one. */
export function rtoOf(state: RunState): RtoSeconds | undefined {
  const traffic = state.steps.traffic;
  const watch = state.steps.watch;
  if (traffic?.status !== 'finished' || watch?.status !== 'finished') return undefined;
  const decidedAtMs = standingApprovals(state, 0).at(state.plan.approvals - 1)?.atMs ?? state.openedAtMs;
  const approval = state.steps.approval;
  // Gates may still run when the last approval arrives: deciding ends when both are there.
  const decided = approval?.status === 'finished' ? Math.max(decidedAtMs, approval.endedAtMs) : decidedAtMs;
  const parts = {
    detect: seconds(state.openedAtMs - state.incidentAtMs),
    decide: seconds(decided - state.openedAtMs),
    execute: seconds(traffic.endedAtMs - decided),
    verify: seconds(watch.endedAtMs - traffic.endedAtMs),
  };
  return { ...parts, total: seconds(watch.endedAtMs - state.incidentAtMs) };
}

/** RPO per data set, as the final delta measured it. */
export function rpoOf(state: RunState): Readonly<Record<string, RpoBound>> {
  const rpo = factsOf(state, 'final-delta')['rpo'];
  return (rpo ?? {}) as Readonly<Record<string, RpoBound>>;
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms)) / 1_000;
}
