// Which function carries out which step of the default runbook.

import type { StepId } from '#stamp';
import type { StepVerb } from './step.ts';
import { approval } from './steps/approval.ts';
import { declare } from './steps/declare.ts';
import { fence } from './steps/fence.ts';
import { finalDelta } from './steps/final-delta.ts';
import { gateArtifacts, gateCanary, gateEgress, gateFallback, gateSecrets, gateTelemetry } from './steps/gates.ts';
import { schedules } from './steps/schedules.ts';
import { traffic } from './steps/traffic.ts';
import { watch } from './steps/watch.ts';

export const defaultVerbs: Readonly<Record<StepId, StepVerb>> = {
  declare,
  'gate-artifacts': gateArtifacts,
  'gate-secrets': gateSecrets,
  'gate-telemetry': gateTelemetry,
  'gate-egress': gateEgress,
  'gate-canary': gateCanary,
  'gate-fallback': gateFallback,
  approval,
  fence,
  'final-delta': finalDelta,
  traffic,
  schedules,
  watch,
};
