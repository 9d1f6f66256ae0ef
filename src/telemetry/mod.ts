// telemetry: everything that reaches Langfuse goes through here. The relay takes in what applications send, the live fold
// turns journal records into spans (fold → spans/relayed → item), and one carrier per destination ships them, reads them
// back, and catches up from the journal after an outage or a restart. Sent is not proven: proven means found by reading.

export { createTelemetry } from './shipper.ts';
export { defaultLimits, type TelemetryLimits } from './limits.ts';
export { reconcile, type ReconciledSpan, type ReconcileOptions, type Reconciliation } from './reconcile.ts';
export type {
  DestinationState,
  ReadObservation,
  Telemetry,
  TelemetryDestination,
  TelemetryLog,
  TelemetryOptions,
  TelemetryState,
} from './port.ts';
export { exchangeItem, type FoldedExchange } from './spans.ts';
export { encodeExport, unitsOf, type Item } from './item.ts';
