// What the client saw of each request. Rows are small and share their outcome objects, so that a long run stays in memory;
// the counts stay exact even when the rows no longer fit.

/** Where an answer came from, as far as its headers tell. */
export type Origin = 'gateway' | 'front-door' | 'unknown';

/** What the gateway's headers said. */
export interface Speaker {
  readonly site?: string;
  readonly rung?: string;
  readonly upstream?: string;
  readonly mode?: string;
}

export type Outcome =
  /** A whole answer: a stream is whole only with its finish reason. `tool`: the tool the answer calls. */
  | ({ readonly kind: 'answered'; readonly finishReason: string; readonly tool?: string } & Speaker)
  /** The OpenAI envelope, as status and body or (status 200) as an event in a stream that had begun. */
  | ({
      readonly kind: 'error-with-envelope';
      readonly status: number;
      readonly code: string;
      readonly midStream: boolean;
      readonly origin: Origin;
    } & Speaker)
  /** An answer that is neither a completion nor the envelope. */
  | ({ readonly kind: 'error-without-envelope'; readonly status: number; readonly origin: Origin } & Speaker)
  /** The connection ended before any content. `begun`: status and headers had come. */
  | ({ readonly kind: 'cut-before-answer'; readonly cause: string; readonly begun: boolean } & Speaker)
  /** Content had come, then the stream broke, or ended without a finish reason. */
  | ({ readonly kind: 'cut-mid-stream'; readonly cause: string } & Speaker)
  /** Still open when the traffic was stopped for good. */
  | { readonly kind: 'abandoned' };

export interface TrafficRow {
  /** Wall time, ms. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Sent as `traceparent`; 32 hex digits. */
  readonly traceId: string;
  /** `x-understudy-trace` of the answer, when it names another trace. */
  readonly answeredTraceId?: string;
  readonly stream: boolean;
  readonly outcome: Outcome;
}

export interface TrafficSummary {
  readonly sent: number;
  readonly answered: number;
  readonly byRung: Readonly<Record<string, number>>;
  readonly bySite: Readonly<Record<string, number>>;
  /** Errors with the envelope by `status code`, whoever sent them. */
  readonly errors: Readonly<Record<string, number>>;
  /** Answers of a gateway that are neither a completion nor an envelope. */
  readonly errorsWithoutEnvelope: number;
  /** Pages of the front door itself. */
  readonly frontDoorErrors: number;
  /** Answers without an envelope whose sender left no sign. */
  readonly unknownErrors: number;
  readonly cut: { readonly beforeAnswer: number; readonly midStream: number };
  readonly abandoned: number;
  /** Answers in no-write mode. */
  readonly noWrite: number;
  readonly inFlight: number;
  /** Rows not held in memory, counted above all the same; the traffic process holds none and writes all to its file. */
  readonly rowsNotKept: number;
  /** Wall time of the newest whole answer, by site. */
  readonly lastAnsweredAtMs: Readonly<Record<string, number>>;
}

/** About 100 bytes a row. */
export const rowsMaxDefault = 200_000;

/** Append-only rows with running counts. */
export class TrafficLog {
  readonly #rows: TrafficRow[] = [];
  readonly #rowsMax: number;
  readonly #outcomes = new Map<string, Outcome>();
  readonly #byRung = new Map<string, number>();
  readonly #bySite = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #lastAnswered = new Map<string, number>();
  #counts = {
    sent: 0,
    answered: 0,
    errorsWithoutEnvelope: 0,
    frontDoorErrors: 0,
    unknownErrors: 0,
    beforeAnswer: 0,
    midStream: 0,
    abandoned: 0,
    noWrite: 0,
    rowsNotKept: 0,
    ended: 0,
  };

  constructor(rowsMax = rowsMaxDefault) {
    this.#rowsMax = rowsMax;
  }

  sent(): void {
    this.#counts.sent++;
  }

  ended(row: TrafficRow): void {
    this.#counts.ended++;
    this.#count(row);
    if (this.#rows.length >= this.#rowsMax) this.#counts.rowsNotKept++;
    else this.#rows.push({ ...row, outcome: this.#shared(row.outcome) });
  }

  rows(): readonly TrafficRow[] {
    return this.#rows;
  }

  summary(): TrafficSummary {
    const { beforeAnswer, midStream, ended, ...counts } = this.#counts;
    return {
      ...counts,
      inFlight: counts.sent - ended,
      byRung: Object.fromEntries(this.#byRung),
      bySite: Object.fromEntries(this.#bySite),
      errors: Object.fromEntries(this.#errors),
      cut: { beforeAnswer, midStream },
      lastAnsweredAtMs: Object.fromEntries(this.#lastAnswered),
    };
  }

  #count(row: TrafficRow): void {
    const { outcome } = row;
    switch (outcome.kind) {
      case 'answered':
        this.#counts.answered++;
        if (outcome.mode === 'no-write') this.#counts.noWrite++;
        add(this.#byRung, outcome.rung ?? 'unnamed');
        add(this.#bySite, outcome.site ?? 'unnamed');
        this.#lastAnswered.set(outcome.site ?? 'unnamed', row.endedAtMs);
        return;
      case 'error-with-envelope':
        add(this.#errors, `${outcome.status} ${outcome.code}`);
        return;
      case 'error-without-envelope':
        if (outcome.origin === 'gateway') this.#counts.errorsWithoutEnvelope++;
        else if (outcome.origin === 'front-door') this.#counts.frontDoorErrors++;
        else this.#counts.unknownErrors++;
        return;
      case 'cut-before-answer':
        this.#counts.beforeAnswer++;
        return;
      case 'cut-mid-stream':
        this.#counts.midStream++;
        return;
      case 'abandoned':
        this.#counts.abandoned++;
        return;
    }
  }

  /** Equal outcomes are one object: there are a few dozen of them in a run, whatever its length. */
  #shared(outcome: Outcome): Outcome {
    const key = JSON.stringify(outcome);
    const known = this.#outcomes.get(key);
    if (known) return known;
    if (this.#outcomes.size < 1_000) this.#outcomes.set(key, outcome);
    return outcome;
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
