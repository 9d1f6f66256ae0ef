// Compiles a stamp and a kind of run into the default runbook of a GenAI stamp. Pure: equal input, equal plan, equal hash.

import { digestOf, type Site } from '#base';
import { milliseconds, type Stamp, type StepId } from '#stamp';
import type { AcceptedDoubleExecution, Plan, PlanStep, RunKind } from './plan.ts';

interface StepForm {
  readonly id: StepId;
  readonly title: string;
  readonly gate: boolean;
  readonly after: readonly StepId[];
  readonly undo: string;
}

const gates: readonly StepForm[] = [
  {
    id: 'gate-artifacts',
    title: 'workspace and job artifacts of the standby',
    gate: true,
    after: ['declare'],
    undo: 'none: it reads, and starts a job declared to change nothing',
  },
  {
    id: 'gate-secrets',
    title: 'secrets, identities and storage of the standby',
    gate: true,
    after: ['declare'],
    undo: 'none: its probe blob is deleted by the probe itself',
  },
  {
    id: 'gate-telemetry',
    title: 'Langfuse continuity: a marker trace written and read back',
    gate: true,
    after: ['declare'],
    undo: 'none: the marker trace stays, in environment understudy-drill',
  },
  {
    id: 'gate-egress',
    title: 'outbound network from the standby to every model endpoint',
    gate: true,
    after: ['declare'],
    undo: 'none: it reads',
  },
  {
    id: 'gate-canary',
    title: 'prompt canary against the recorded baseline',
    gate: true,
    after: ['gate-secrets', 'gate-egress'],
    undo: 'none: its traces stay, in environment understudy-drill',
  },
  {
    id: 'gate-fallback',
    title: 'fallback behaviour on the rehearsal lane',
    gate: true,
    after: ['gate-canary'],
    undo: 'none: the rehearsal lane has its own breakers',
  },
];

const gateIds = gates.map((gate) => gate.id);

const moving: readonly StepForm[] = [
  {
    id: 'approval',
    title: 'approval by people who differ from each other and from the initiator',
    gate: true,
    after: gateIds,
    undo: 'none: an approval expires by itself',
  },
  {
    id: 'fence',
    title: 'fence the old region',
    gate: false,
    after: ['approval'],
    undo: 'a new epoch makes the old region active again',
  },
  {
    id: 'final-delta',
    title: 'final delta: what had not reached the standby',
    gate: true,
    after: ['fence'],
    undo: 'none: what was copied is wanted either way',
  },
  {
    id: 'traffic',
    title: 'traffic moved and seen from outside',
    gate: false,
    after: ['final-delta'],
    undo: 'none: from here the way back is a failback',
  },
  {
    id: 'schedules',
    title: 'schedules released in dependency order',
    gate: false,
    after: ['traffic'],
    undo: 'none: a job that ran has run; the way back is a failback',
  },
  {
    id: 'watch',
    title: 'watch, standing orders',
    gate: false,
    after: ['schedules'],
    undo: 'none: it watches',
  },
];

export interface CompileRequest {
  readonly stamp: Stamp;
  readonly stampDigest: string;
  readonly kind: RunKind;
  readonly from: Site;
  readonly to: Site;
  readonly accepted?: readonly AcceptedDoubleExecution[];
}

export function compilePlan(request: CompileRequest): Plan {
  const { stamp, kind } = request;
  const declared = stamp.dependencies.flatMap((dependency) =>
    dependency.kind === 'databricks' ? dependency.doubleExecution : [],
  );
  const targets = stamp.targets;
  return {
    kind,
    stamp: { name: stamp.name, digest: request.stampDigest },
    from: request.from,
    to: request.to,
    steps: formsOf(kind).map((form) => withDuration(form, stamp)),
    approvals: kind === 'drill' ? 0 : stamp.approvals[kind],
    accepted: [...declared.map((entry) => ({ ...entry, by: 'stamp' })), ...(request.accepted ?? [])],
    targets: {
      rtoSeconds: milliseconds(targets.rto) / 1_000,
      rpoSeconds: Object.fromEntries(
        Object.entries(targets.rpo).map(([dataSet, duration]) => [dataSet, milliseconds(duration) / 1_000]),
      ),
      gateMaxAgeSeconds: milliseconds(targets.gateMaxAge) / 1_000,
      driftAllowance: targets.driftAllowance,
    },
  };
}

/** What people approve: the digest of the whole plan. */
export function planHash(plan: Plan): string {
  return digestOf(plan);
}

function formsOf(kind: RunKind): readonly StepForm[] {
  const declare: StepForm = {
    id: 'declare',
    title: 'declare: incident time, kind, reason, person',
    gate: true,
    after: [],
    undo: 'none: it only records',
  };
  if (kind !== 'drill') return [declare, ...gates, ...moving];
  const cleanUp: StepForm = {
    id: 'watch',
    title: 'clean up and show that production is as it was',
    gate: false,
    after: gateIds,
    undo: 'none: it compares and lists what remains',
  };
  return [declare, ...gates, cleanUp];
}

function withDuration(form: StepForm, stamp: Stamp): PlanStep {
  const declared = stamp.azureDurations[form.id];
  return { ...form, azureSeconds: declared === undefined ? null : milliseconds(declared) / 1_000 };
}

/** Seconds along the longest path of declared Azure durations, or null when a step on the way declares none. */
export function predictedAzureSeconds(plan: Plan): number | null {
  const known = new Map<StepId, number>();
  const longestTo = (id: StepId): number => {
    const cached = known.get(id);
    if (cached !== undefined) return cached;
    const step = plan.steps.find((candidate) => candidate.id === id);
    if (!step) return 0;
    const before = Math.max(0, ...step.after.map(longestTo));
    const total = before + (step.azureSeconds ?? Number.NaN);
    known.set(id, total);
    return total;
  };
  const total = Math.max(...plan.steps.map((step) => longestTo(step.id)));
  return Number.isFinite(total) ? total : null;
}
