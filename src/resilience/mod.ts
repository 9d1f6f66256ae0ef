// resilience: what keeps answering possible while an upstream fails. Explicit state and an injected clock, no effects:
// a deadline for the whole ladder, a breaker and a retry budget per upstream, the table of faults, and the waits.

export { startDeadline, type Deadline } from './deadline.ts';
export {
  admits,
  Breaker,
  closedBreaker,
  moveBreaker,
  type BreakerEvent,
  type BreakerPolicy,
  type BreakerState,
  type BreakerView,
  type Permit,
} from './breaker.ts';
export { RetryBudget, type RetryBudgetPolicy } from './budget.ts';
export {
  countsAgainstUpstream,
  isFilterFault,
  isQuotaFault,
  reactionTo,
  type Fault,
  type FaultSource,
  type Reaction,
} from './fault.ts';
export { retryDelayMs, waitHintMs, type HeaderValues, type RetryDelayInput } from './wait.ts';
