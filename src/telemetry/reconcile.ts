// Compares a journal with a destination, id by id: which spans are missing there, and which can be read more than once.
// Counters play no part; both sides are read.

import { Failure, type Clock } from '#base';
import type { Journal } from '#journal';
import { findInterrupted, outlineStretch } from './catch-up.ts';
import { spanId, type ItemOutline, type SpanKey } from './item.ts';
import { defaultLimits } from './limits.ts';
import type { TelemetryDestination } from './port.ts';
import { readBack } from './read-back.ts';

export interface ReconcileOptions {
  readonly journal: Journal;
  readonly destination: TelemetryDestination;
  readonly clock: Clock;
  /** Exchanges that began, and exports received, with fromMs <= time < toMs. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly signal: AbortSignal;
  readonly spansMax?: number;
}

export interface ReconciledSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly startMs: number;
  /** Journal sequence of the exchange's or export's first record. */
  readonly sequence: number;
}

export interface Reconciliation {
  readonly destination: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Exchanges and relayed exports of the journal in the window. */
  readonly items: number;
  /** Distinct spans of those. */
  readonly spans: number;
  readonly found: number;
  readonly missing: readonly ReconciledSpan[];
  readonly duplicates: readonly (ReconciledSpan & { readonly count: number })[];
}

/**
 * Rejects with `TELEMETRY_RANGE_TOO_WIDE` when the window holds too many spans, and with the destination's own failure
 * when it cannot be read. An exchange without a close counts with its root span: it is shipped as interrupted.
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  const { journal, destination, clock, fromMs, toMs, signal } = options;
  const spans = new Map<string, ReconciledSpan>();
  let items = 0;
  for await (const outline of outlines(journal, signal)) {
    if (outline.atMs < fromMs || outline.atMs >= toMs) continue;
    items++;
    for (const key of outline.spans) remember(spans, key, outline.sequence);
    if (spans.size > (options.spansMax ?? defaultLimits.reconcileSpansMax)) {
      throw new Failure('TELEMETRY_RANGE_TOO_WIDE', `more than ${spans.size - 1} spans between the two times`, {
        hint: 'Reconcile in shorter windows.',
      });
    }
  }
  const found = await readBack([...spans.values()], { destination, clock, limits: defaultLimits, signal });
  const all = [...spans.entries()];
  return {
    destination: destination.id,
    fromMs,
    toMs,
    items,
    spans: spans.size,
    found: found.size,
    missing: all.filter(([key]) => !found.has(key)).map(([, span]) => span),
    duplicates: all
      .filter(([key]) => (found.get(key) ?? 0) > 1)
      .map(([key, span]) => ({ ...span, count: found.get(key) ?? 0 })),
  };
}

/** All items of the journal without their content, a stretch at a time. */
async function* outlines(journal: Journal, signal: AbortSignal): AsyncGenerator<ItemOutline> {
  const through = journal.durableSequence;
  let after = journal.state().firstSequence - 1;
  const interrupted = await findInterrupted(journal, { after, through }, signal);
  while (after < through) {
    const stretch = await outlineStretch(
      { after, through, fromMs: 0, sinceMs: 0 },
      { journal, interrupted, signal, itemsMax: defaultLimits.catchUpItemsMax, skip: () => false },
    );
    for (const { outline } of stretch.items) yield outline;
    after = stretch.through;
  }
}

function remember(spans: Map<string, ReconciledSpan>, key: SpanKey, sequence: number): void {
  const id = spanId(key);
  if (!spans.has(id)) spans.set(id, { ...key, sequence });
}
