// run: one durable execution of a plan. events.ts is what is logged, fold.ts what it amounts to, log.ts the only writer,
// engine.ts starts what is ready, steps/ carry it out against the ports of world.ts.

export type { ApprovalStatement, Facts, LoggedRunEvent, RunEvent, RunOutcome, Signed } from './events.ts';
export {
  factsOf,
  foldRun,
  isThrough,
  mayBeOverridden,
  readySteps,
  standingApprovals,
  type RunState,
  type StepState,
} from './fold.ts';
export { listRuns, newRunId, RunLog, runStreamPrefix } from './log.ts';
export { driveRun, type EngineOptions } from './engine.ts';
export { rpoOf, rtoOf, type RpoBound, type RtoSeconds } from './outcome.ts';
export type { StepContext, StepResult, StepVerb } from './step.ts';
export { standingOrdersKey, type StandingOrders } from './steps/watch.ts';
export { defaultVerbs } from './verbs.ts';
export type { AuthorityDesk, Heartbeat, SiteAgent, SiteState, TelemetryProgress, World } from './world.ts';
