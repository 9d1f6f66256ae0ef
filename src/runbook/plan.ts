// The plan of a run: which steps, in which order, what each may undo, and what was accepted by name before it began.
// It is plain data; its digest is what people approve.

import type { Site } from '#base';
import type { StepId } from '#stamp';

export type RunKind = 'drill' | 'switchover' | 'failover' | 'failback';

export interface PlanStep {
  readonly id: StepId;
  readonly title: string;
  /** A gate's verdict lets the run go on; it leaves the active region untouched. */
  readonly gate: boolean;
  readonly after: readonly StepId[];
  /** How the step is undone, or `none: ` and the reason. */
  readonly undo: string;
  /** What the stamp expects this step to take in Azure; null where nothing is declared. */
  readonly azureSeconds: number | null;
}

/** A job whose double execution somebody accepted by name, with the reason. */
export interface AcceptedDoubleExecution {
  readonly job: string;
  readonly reason: string;
  /** `stamp`, or the person who asked for it when the run was started. */
  readonly by: string;
}

export interface Plan {
  readonly kind: RunKind;
  readonly stamp: { readonly name: string; readonly digest: string };
  /** The site that is active when the run begins, and the one it makes (or, in a drill, rehearses as) active. */
  readonly from: Site;
  readonly to: Site;
  readonly steps: readonly PlanStep[];
  readonly approvals: number;
  readonly accepted: readonly AcceptedDoubleExecution[];
  readonly targets: {
    readonly rtoSeconds: number;
    readonly rpoSeconds: Readonly<Record<string, number>>;
    readonly gateMaxAgeSeconds: number;
    readonly driftAllowance: number;
  };
}
