// canary: prompts asked through a gateway before traffic moves to it, and the rehearsal of its fallbacks. ask.ts speaks to
// the gateway, comparators.ts and baseline.ts say what equal means and with what, judge.ts and trace.ts give verdicts. The
// canary proves the mechanism (prompts go out, outputs are compared, traces are found) and claims no more.

export { compareAnswers, normalise, type Comparison } from './comparators.ts';
export {
  emptyBaseline,
  loadBaseline,
  recordingOf,
  requestDigest,
  saveBaseline,
  type Baseline,
  type Recording,
} from './baseline.ts';
export { runCanary, type CanaryOptions, type CanaryPromptResult, type CanaryResult } from './canary.ts';
export {
  fallbackRehearsal,
  rehearsalCases,
  rehearsalHeader,
  type InjectedFault,
  type RehearsalCase,
  type RehearsalOptions,
} from './rehearsal.ts';
export type { FindTrace } from './trace.ts';
