// azure: what the connectors to Azure services share: a call under a deadline, the act on its way to the wire, and
// failures with stable codes.

export { Acting } from './acting.ts';
export { DeadlineExceeded, withDeadline, type CallLimits } from './call.ts';
export { azureFailure, findingOf, outcomeUnknown, statusOf, vendorCodeOf } from './failures.ts';
