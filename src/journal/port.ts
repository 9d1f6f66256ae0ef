// The journal as other folders see it: append a record and learn when it is durable; read records in order.

/** Record kinds. The numbers are the format on disk and never change meaning. */
export const recordKinds = {
  /** An exchange begins: request and decision. meta: ExchangeOpen, body: request bytes. */
  open: 1,
  /** Answer bytes as they pass, at most 64 KiB. meta: ExchangePart. */
  part: 2,
  /** An exchange ends. meta: ExchangeClose. */
  close: 3,
  /** An accepted OTLP export. meta: TelemetryMeta, body: the request body as received, decompressed. */
  otlp: 4,
} as const;
export type RecordKind = keyof typeof recordKinds;

export interface JournalRecord {
  /** 1 for the first record of the journal's life, without gaps across segments. */
  readonly sequence: number;
  readonly kind: RecordKind;
  /** A JSON object; its shape belongs to the kind. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
}

export interface NewRecord {
  readonly kind: RecordKind;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly body?: Uint8Array;
}

export interface Journal {
  /** Sequence of the last durable record; 0 when there is none. */
  readonly durableSequence: number;
  /**
   * Appends a record. `sequence` is known at once; `durable` resolves when fdatasync has covered it. Both reject alike:
   * `JOURNAL_FULL` (the byte bound), `JOURNAL_BUSY` (too much waiting for the disk), `JOURNAL_FAILED` (a write or sync
   * failed; the journal takes nothing more until it is opened again).
   */
  append(record: NewRecord): { readonly sequence: number; readonly durable: Promise<void> };
  /** Durable records with sequence > `afterSequence`, in order, ending at the newest durable one. */
  read(options: { afterSequence: number; signal?: AbortSignal }): AsyncIterable<JournalRecord>;
  /** Resolves when a record with sequence > `afterSequence` is durable, or the signal aborts. */
  waitForMore(afterSequence: number, signal: AbortSignal): Promise<void>;
  /** Deletes whole segments that end at or before `sequence`. */
  release(throughSequence: number): Promise<void>;
  state(): JournalState;
  close(): Promise<void>;
}

export interface JournalState {
  readonly firstSequence: number;
  readonly durableSequence: number;
  readonly bytes: number;
  readonly bytesMax: number;
  readonly segments: number;
  /** What recovery found when the journal was opened. */
  readonly recovered: { readonly records: number; readonly tornBytes: number };
  readonly failed: string | undefined;
}

// ---- the meta of each kind ------------------------------------------------------------------------------------------

export interface ExchangeOpen {
  /** Exchange id, `xc_…`. */
  readonly exchange: string;
  /** 32 lower-case hex digits: the client's `traceparent` when it sent one, else made here. */
  readonly traceId: string;
  /** 16 hex digits: the root span of this exchange. */
  readonly spanId: string;
  /** Parent span from `traceparent`, when the client sent one. */
  readonly parentSpanId?: string;
  readonly startedAtMs: number;
  readonly site: string;
  readonly epoch: string;
  readonly tenant: string;
  readonly client: string;
  readonly route: string;
  readonly requestedModel: string;
  readonly stream: boolean;
  readonly behavior: string;
  readonly mode: 'normal' | 'no-write';
  /** Tools withheld from the request in no-write mode. */
  readonly withheldTools: readonly string[];
  readonly capture: 'full' | 'metadata';
  /** `default`, or `understudy-drill` on the rehearsal lane. */
  readonly environment: string;
  readonly sessionId?: string;
  readonly userId?: string;
  /** Allow-listed request headers. Never credentials or cookies. */
  readonly headers: Readonly<Record<string, string>>;
  readonly requestBytes: number;
  readonly requestSha256: string;
}

export interface ExchangePart {
  readonly exchange: string;
  /** Offset of this part in the answer, bytes. */
  readonly offset: number;
}

export interface ExchangeAttempt {
  readonly rung: string;
  readonly upstream: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outcome: 'answered' | 'failed' | 'skipped';
  readonly status?: number;
  /** Stable code of the failure: `upstream_timeout`, `rate_limit_exceeded` … */
  readonly error?: string;
}

export interface ExchangeClose {
  readonly exchange: string;
  readonly endedAtMs: number;
  readonly outcome: 'answered' | 'refused' | 'failed' | 'truncated' | 'client_gone' | 'interrupted';
  readonly status: number;
  readonly rung: string;
  readonly upstream: string;
  readonly attempts: readonly ExchangeAttempt[];
  readonly answerBytes: number;
  readonly answerSha256: string;
  /** What the provider reported, when it could be read. */
  readonly responseModel?: string;
  readonly responseId?: string;
  readonly systemFingerprint?: string;
  readonly finishReasons?: readonly string[];
  readonly usage?: Readonly<Record<string, number>>;
  readonly firstContentAtMs?: number;
  readonly error?: string;
}

export interface TelemetryMeta {
  readonly receivedAtMs: number;
  readonly contentType: 'application/json' | 'application/x-protobuf';
  /** Which Langfuse project key sent it (public key, not a secret). */
  readonly publicKey: string;
  readonly spans: number;
  /** x-langfuse-ingestion-version, when the client sent one. */
  readonly ingestionVersion?: string;
}
