// A Langfuse for tests in this process: it refuses a whole export for one bad span, shows spans some reads after it took
// them, and can be down, busy, forgetful or picky. What it stores is keyed as Langfuse 4 keys it: one row per trace id,
// span id and start time; a resend with another start time is a duplicate that stays.

import { Failure, isRecord, type Clock, type Site } from '#base';
import type { ReadObservation, TelemetryDestination } from '../port.ts';

export interface StoredSpan extends ReadObservation {
  readonly span: Record<string, unknown>;
  readonly resource: unknown;
  readonly visibleAtMs: number;
  times: number;
}

export class FakeLangfuse implements TelemetryDestination {
  readonly id: Site;
  readonly stored = new Map<string, StoredSpan>();
  exports: string[] = [];
  reads: { fromMs: number; toMs: number }[] = [];
  down = false;
  intakeDown = false;
  readsDown = false;
  /** Answers 200 and stores nothing. */
  drops = false;
  hangs = false;
  refuses: (span: Record<string, unknown>) => boolean = () => false;
  refusesAll = false;
  /** Answers 429 with this wait this many times. */
  busy: { times: number; retryAfterMs: number } = { times: 0, retryAfterMs: 0 };
  settleMs = 0;
  readonly #clock: Clock;

  constructor(id: Site, clock: Clock) {
    this.id = id;
    this.#clock = clock;
  }

  async export(otlpJson: string, signal: AbortSignal): Promise<void> {
    this.exports.push(otlpJson);
    if (this.hangs) await new Promise(() => {});
    signal.throwIfAborted();
    if (this.down || this.intakeDown)
      throw new Failure('LANGFUSE_UNREACHABLE', 'connection refused', { next: 'retry' });
    if (this.busy.times-- > 0) {
      const details = { retryAfterMs: this.busy.retryAfterMs };
      throw new Failure('LANGFUSE_BUSY', 'too many requests', { next: 'retry', details });
    }
    if (this.refusesAll) throw new Failure('LANGFUSE_REJECTED', 'Bad Request from a proxy');
    const spans = strictSpans(otlpJson);
    const bad = spans.find(({ span }) => this.refuses(span));
    if (bad) throw new Failure('LANGFUSE_REJECTED', 'Invalid OTLP trace export: 1 span cannot be processed');
    if (this.drops) return;
    for (const one of spans) this.#store(one);
  }

  async observations(query: { fromMs: number; toMs: number }): Promise<readonly ReadObservation[]> {
    this.reads.push(query);
    if (this.down || this.readsDown) throw new Failure('LANGFUSE_UNREACHABLE', 'connection refused', { next: 'retry' });
    const nowMs = this.#clock.monotonicMs();
    return [...this.stored.values()].filter(
      ({ startTimeMs, visibleAtMs }) => startTimeMs >= query.fromMs && startTimeMs < query.toMs && visibleAtMs <= nowMs,
    );
  }

  /** How many rows there are for each trace id and span id. */
  copies(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { traceId, id } of this.stored.values()) {
      counts.set(`${traceId}/${id}`, (counts.get(`${traceId}/${id}`) ?? 0) + 1);
    }
    return counts;
  }

  #store({ span, resource }: { span: Record<string, unknown>; resource: unknown }): void {
    const startTimeMs = Number(BigInt(String(span['startTimeUnixNano'])) / 1_000_000n);
    const [traceId, id] = [String(span['traceId']), String(span['spanId'])];
    const key = `${traceId}/${id}/${startTimeMs}`;
    const known = this.stored.get(key);
    const visibleAtMs = known?.visibleAtMs ?? this.#clock.monotonicMs() + this.settleMs;
    this.stored.set(key, { id, traceId, startTimeMs, span, resource, visibleAtMs, times: (known?.times ?? 0) + 1 });
  }
}

/** Spans of an export, each judged more strictly than Langfuse does: this is what Understudy itself writes. */
export function strictSpans(otlpJson: string): { span: Record<string, unknown>; resource: unknown }[] {
  const parsed = JSON.parse(otlpJson) as { resourceSpans: { resource: unknown; scopeSpans: { spans: unknown[] }[] }[] };
  if (!Array.isArray(parsed.resourceSpans)) throw new Failure('LANGFUSE_REJECTED', 'resourceSpans is no array');
  return parsed.resourceSpans.flatMap((element) =>
    element.scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => {
        if (!isRecord(span) || !goodSpan(span)) {
          throw new Failure('LANGFUSE_REJECTED', `bad span ${JSON.stringify(span)}`);
        }
        return { span, resource: element.resource };
      }),
    ),
  );
}

function goodSpan(span: Record<string, unknown>): boolean {
  return (
    /^[0-9a-f]{32}$/.test(String(span['traceId'])) &&
    /^[0-9a-f]{16}$/.test(String(span['spanId'])) &&
    /^[0-9a-f]{16}$/.test(typeof span['parentSpanId'] === 'string' ? span['parentSpanId'] : '0'.repeat(16)) &&
    /^\d+$/.test(String(span['startTimeUnixNano'])) &&
    /^\d+$/.test(String(span['endTimeUnixNano'])) &&
    (span['attributes'] === undefined || Array.isArray(span['attributes']))
  );
}
