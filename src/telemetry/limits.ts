// Every bound of the telemetry folder, with its unit in the name and its reason beside it.

export interface TelemetryLimits {
  /** Spans per export: Langfuse's own SDKs send at most 512. */
  readonly batchSpansMax: number;
  /** Bytes per export: below the 4.5 MB that proxies in front of Langfuse commonly allow. One larger span goes alone. */
  readonly batchBytesMax: number;
  /** How long the first span waits for company. */
  readonly batchAgeMs: number;
  /** Rendered items held per destination; what is over is read from the journal again later. */
  readonly waitingItemsMax: number;
  readonly waitingBytesMax: number;
  /** Spans sent and not yet read back, per destination. */
  readonly inProofSpansMax: number;
  /** Request and answer bytes of running exchanges held in memory; what is over is read from the journal at the end. */
  readonly foldBytesMax: number;
  /** Running exchanges; above it, and beyond `openAgeMsMax`, the oldest is declared interrupted. */
  readonly runningMax: number;
  readonly openAgeMsMax: number;
  readonly exportTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** Backoff after a failed call: doubles from first to max, with jitter. */
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
  /** A wait header above this is cut to it. */
  readonly waitHeaderMsMax: number;
  /** First read-back after a span was accepted; the pause between further ones doubles up to max. */
  readonly proofFirstMs: number;
  readonly proofMaxMs: number;
  /** Spans per read-back: at most one read per so many records. */
  readonly proofSpansPerRead: number;
  /** A span is sent again when it was looked for this often and this long in vain (Langfuse 4 shows spans in seconds). */
  readonly settleReads: number;
  readonly settleMs: number;
  /** Items per step of a catch-up. */
  readonly catchUpItemsMax: number;
  readonly behindMs: number;
  /** A request is journaled this long after it began, at most: `provenThroughMs` stays this far behind now. */
  readonly startSlackMs: number;
  readonly cursorEveryMs: number;
  /** Proven records younger than this stay in the journal (for reconciliation), while it is less than half full. */
  readonly journalKeepMs: number;
  readonly releaseEveryMs: number;
  readonly relayBodyBytesMax: number;
  readonly relayConcurrencyMax: number;
  readonly relayTimeoutMs: number;
  /** Distinct spans one reconciliation holds in memory. */
  readonly reconcileSpansMax: number;
}

export const defaultLimits: TelemetryLimits = {
  batchSpansMax: 500,
  batchBytesMax: 4_000_000,
  batchAgeMs: 100,
  waitingItemsMax: 2_000,
  waitingBytesMax: 33_554_432,
  inProofSpansMax: 20_000,
  foldBytesMax: 67_108_864,
  runningMax: 10_000,
  openAgeMsMax: 3_600_000,
  exportTimeoutMs: 10_000,
  readTimeoutMs: 15_000,
  backoffFirstMs: 250,
  backoffMaxMs: 15_000,
  waitHeaderMsMax: 300_000,
  proofFirstMs: 300,
  proofMaxMs: 5_000,
  proofSpansPerRead: 500,
  settleReads: 5,
  settleMs: 20_000,
  catchUpItemsMax: 500,
  behindMs: 10_000,
  startSlackMs: 2_000,
  cursorEveryMs: 1_000,
  journalKeepMs: 86_400_000,
  releaseEveryMs: 10_000,
  relayBodyBytesMax: 20_971_520,
  relayConcurrencyMax: 128,
  relayTimeoutMs: 20_000,
  reconcileSpansMax: 1_000_000,
};
