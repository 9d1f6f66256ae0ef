// The telemetry folder as others see it: where spans go, what it is given, and what it says about itself.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Randomness, Site } from '#base';
import type { Journal } from '#journal';
import type { TelemetryLimits } from './limits.ts';

/** An observation that was read back. The fields of `StoredObservation` in connectors that matter here. */
export interface ReadObservation {
  readonly id: string;
  readonly traceId: string;
  readonly startTimeMs: number;
}

/** One Langfuse. Adapted from the connector by the composition root. */
export interface TelemetryDestination {
  readonly id: Site;
  /**
   * Ships one OTLP/JSON export; resolves when the server has accepted it. Rejects with `LANGFUSE_REJECTED` when the
   * content is refused (400: the batch is bisected; `LANGFUSE_TOO_LARGE`, 413, likewise); every other code is taken as
   * a server that cannot answer now, with `details.retryAfterMs` (ms) honoured.
   */
  export(otlpJson: string, signal: AbortSignal): Promise<void>;
  /** All observations with fromMs <= start < toMs, all pages, as often as they can be read. */
  observations(
    query: { readonly fromMs: number; readonly toMs: number },
    signal: AbortSignal,
  ): Promise<readonly ReadObservation[]>;
}

export type TelemetryLog = (line: {
  readonly level: 'info' | 'warn' | 'error';
  /** Stable, kebab-case: `span-quarantined`. */
  readonly code: string;
  readonly message: string;
  readonly [fact: string]: unknown;
}) => void;

export interface TelemetryOptions {
  readonly site: Site;
  /** Name of the stamp, written into each trace's metadata. */
  readonly stamp?: string;
  /** Create the telemetry before the gateway appends its first record: what is open then was interrupted by a crash. */
  readonly journal: Journal;
  readonly destinations: readonly TelemetryDestination[];
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** For cursors and the quarantine; made when missing. */
  readonly directory: string;
  /** Accepted Basic credentials of the relay: public key → SHA-256 of the secret key (64 lower-case hex digits). */
  readonly publicKeys: ReadonlyMap<string, string>;
  readonly log: TelemetryLog;
  readonly limits?: Partial<TelemetryLimits>;
}

export interface Telemetry {
  start(): void;
  /** Answers `/api/public/otel/…`, `/api/public/health` and `/api/public/ready`; anything else 404. Never rejects. */
  handleRelay(request: IncomingMessage, response: ServerResponse): Promise<void>;
  state(): TelemetryState;
  /**
   * Resolves when every record that is durable now is proven at every destination that answers. Exchanges still running
   * are waited for. Rejects with the signal's reason.
   */
  flush(signal: AbortSignal): Promise<void>;
  /** Frees journal segments held by quarantined spans of a destination. A person decides that. */
  releaseQuarantine(destination: Site, options: { readonly person: string; readonly reason: string }): Promise<number>;
  stop(): Promise<void>;
}

export interface TelemetryState {
  readonly site: Site;
  readonly durableSequence: number;
  /** Exchanges that have begun and not ended. */
  readonly running: number;
  /** Records that could not be understood: logged, skipped, and left in the journal. */
  readonly unreadable: number;
  readonly destinations: readonly DestinationState[];
}

export interface DestinationState {
  readonly id: Site;
  /** ok: all is well; behind: something is unproven for longer than `behindMs`; down: exports or reads fail. */
  readonly mode: 'ok' | 'behind' | 'down';
  /** Everything that began at or before this journal sequence was accepted by the destination. */
  readonly sentThroughSequence: number;
  /** Everything that began at or before this journal sequence was read back from the destination. */
  readonly provenThroughSequence: number;
  /** Wall time T: every exchange that began before T, and every export received before T, is proven there. 0: unknown. */
  readonly provenThroughMs: number;
  /** Seconds since the oldest thing that could be sent and was not; 0 when nothing waits. */
  readonly sentLagSeconds: number;
  /** Seconds since `provenThroughMs` while anything is unproven, running exchanges included; else 0. */
  readonly provenLagSeconds: number;
  /** Age of the oldest ended exchange or received export that is not proven; 0 when there is none. */
  readonly oldestUnprovenAgeSeconds: number;
  /** Journal records after `provenThroughSequence`. */
  readonly recordsWaiting: number;
  /** Their share of the journal's bytes: an estimate. */
  readonly bytesWaiting: number;
  /** Spans the destination refused for good, each with its reason in the quarantine file. Not proven, and not counted above. */
  readonly quarantined: number;
  /** Spans sent again because they could not be read back in time. */
  readonly resent: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly atMs: number } | undefined;
}
