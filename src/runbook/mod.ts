// runbook: a stamp and a kind of run become a plan of steps. Pure; the engine in run/ carries it out.

export type { AcceptedDoubleExecution, Plan, PlanStep, RunKind } from './plan.ts';
export { compilePlan, planHash, predictedAzureSeconds, type CompileRequest } from './compile.ts';
