// Reads spans back from a destination: nothing counts as delivered before it was found here. Spans are grouped into
// narrow windows of start time, so that a read returns little besides what is looked for.

import type { Clock } from '#base';
import { spanId, type SpanKey } from './item.ts';
import type { TelemetryLimits } from './limits.ts';
import type { TelemetryDestination } from './port.ts';
import { withDeadline } from './waiting.ts';

/** Start times further apart than this are read separately. */
const windowGapMs = 2_000;
/** Langfuse keeps milliseconds; a little more on both sides forgives rounding. */
const marginMs = 5;

export interface Reading {
  readonly destination: TelemetryDestination;
  readonly clock: Clock;
  readonly limits: TelemetryLimits;
  readonly signal: AbortSignal;
}

/** How often each of the wanted spans can be read (by `spanId` key); those not there are absent. */
export async function readBack(wanted: readonly SpanKey[], reading: Reading): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const keys = new Set(wanted.map(spanId));
  for (const window of windowsOf(wanted, reading.limits.proofSpansPerRead)) {
    const observations = await withDeadline(
      reading.clock,
      { timeoutMs: reading.limits.readTimeoutMs, signal: reading.signal, what: `Langfuse (${reading.destination.id})` },
      (signal) => reading.destination.observations(window, signal),
    );
    for (const { traceId, id } of observations) {
      const key = spanId({ traceId, spanId: id });
      if (keys.has(key)) found.set(key, (found.get(key) ?? 0) + 1);
    }
  }
  return found;
}

/** Windows never overlap, so that one observation is counted once. */
export function windowsOf(wanted: readonly SpanKey[], spansMax: number): { fromMs: number; toMs: number }[] {
  const starts = wanted.map((key) => key.startMs).sort((a, b) => a - b);
  const windows: { fromMs: number; toMs: number; spans: number }[] = [];
  for (const startMs of starts) {
    const last = windows.at(-1);
    const inside = last !== undefined && startMs + marginMs < last.toMs;
    if (last && (inside || (startMs - last.toMs <= windowGapMs && last.spans < spansMax))) {
      last.toMs = Math.max(last.toMs, startMs + marginMs + 1);
      last.spans++;
    } else {
      const fromMs = Math.max(startMs - marginMs, last?.toMs ?? Number.NEGATIVE_INFINITY);
      windows.push({ fromMs, toMs: startMs + marginMs + 1, spans: 1 });
    }
  }
  return windows.map(({ fromMs, toMs }) => ({ fromMs, toMs }));
}
