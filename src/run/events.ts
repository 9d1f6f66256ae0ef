// The events of a run. The log is the run: every event is appended before the act it announces, and folding the log
// gives the state again after a crash.

import type { Epoch, Finding, Role, Site, Verdict } from '#base';
import type { AcceptedDoubleExecution, Plan } from '#runbook';
import type { StepId } from '#stamp';

/** A statement with the signature of the person who made it; binary as lower-case hex. */
export interface Signed<T> {
  readonly person: string;
  readonly statement: T;
  /** Ed25519 over the canonical JSON of the statement. */
  readonly signature: string;
}

export interface ApprovalStatement {
  readonly run: string;
  readonly planHash: string;
  /** The epoch the run began under. */
  readonly epoch: string;
  readonly decision: 'approve' | 'reject';
  readonly expiresAtMs: number;
  readonly comment: string;
  /** Present on an override: the step whose verdict is passed over. */
  readonly override?: StepId;
}

export type RunOutcome =
  'completed' | 'completed with skips' | 'completed with override' | 'failed' | 'aborted' | 'undone';

/** JSON facts a step leaves for later steps, the summary and the evidence. Never a secret. */
export type Facts = Readonly<Record<string, unknown>>;

export type RunEvent =
  | {
      readonly type: 'run-opened';
      readonly body: {
        readonly run: string;
        readonly plan: Plan;
        readonly planHash: string;
        readonly initiator: string;
        readonly reason: string;
        readonly incidentAtMs: number;
        readonly epoch: Epoch;
      };
    }
  | { readonly type: 'step-started'; readonly body: { readonly step: StepId; readonly attempt: number } }
  | {
      readonly type: 'act-announced';
      readonly body: { readonly step: StepId; readonly act: string; readonly epoch: string };
    }
  | {
      readonly type: 'step-finished';
      readonly body: {
        readonly step: StepId;
        readonly attempt: number;
        readonly verdict: Verdict;
        readonly seconds: number;
        readonly findings: readonly Finding[];
        readonly facts: Facts;
      };
    }
  | { readonly type: 'gates-expired'; readonly body: { readonly steps: readonly StepId[] } }
  | { readonly type: 'approval-given'; readonly body: { readonly signed: Signed<ApprovalStatement> } }
  | { readonly type: 'override-given'; readonly body: { readonly signed: Signed<ApprovalStatement> } }
  | {
      readonly type: 'authority-moved';
      readonly body: {
        readonly epoch: Epoch;
        readonly roles: Readonly<Record<Site, Role>>;
        readonly why: 'fence' | 'activate' | 'undo';
      };
    }
  | { readonly type: 'run-stopped'; readonly body: { readonly step: StepId; readonly reason: string } }
  | { readonly type: 'run-resumed'; readonly body: { readonly by: string } }
  | { readonly type: 'double-execution-accepted'; readonly body: AcceptedDoubleExecution }
  | {
      readonly type: 'run-finished';
      readonly body: { readonly outcome: RunOutcome; readonly by: string; readonly reason: string };
    }
  | { readonly type: 'run-sealed'; readonly body: { readonly file: string; readonly head: string } }
  | {
      readonly type: 'addendum-sealed';
      readonly body: { readonly file: string; readonly head: string; readonly what: string };
    };

/** An event with its place in the log. */
export type LoggedRunEvent = RunEvent & { readonly sequence: number; readonly atMs: number };
