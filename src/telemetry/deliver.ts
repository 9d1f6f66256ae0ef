// Sends spans to one destination. A refused batch is halved until the refused spans stand alone; the rest is delivered.
// A server that refuses everything says more about itself than about the spans, so nothing is condemned on its word alone.

import { codeOf, describeError, type Clock } from '#base';
import { encodeExport, type SpanUnit } from './item.ts';
import type { TelemetryLimits } from './limits.ts';
import type { TelemetryDestination } from './port.ts';
import { withDeadline } from './waiting.ts';

export interface Refusal {
  readonly unit: SpanUnit;
  readonly code: string;
  readonly reason: string;
}

export interface Delivery {
  readonly accepted: number;
  readonly refused: readonly Refusal[];
}

/** The server answered, and it was the content it refused. */
export function isRefusal(error: unknown): boolean {
  return ['LANGFUSE_REJECTED', 'LANGFUSE_TOO_LARGE'].includes(codeOf(error));
}

/** Resolves when every unit was accepted or refused for itself; rejects when the server cannot answer now. */
export async function deliver(
  units: readonly SpanUnit[],
  parts: { destination: TelemetryDestination; clock: Clock; limits: TelemetryLimits; signal: AbortSignal },
): Promise<Delivery> {
  if (units.length === 0) return { accepted: 0, refused: [] };
  try {
    await withDeadline(
      parts.clock,
      { timeoutMs: parts.limits.exportTimeoutMs, signal: parts.signal, what: `Langfuse (${parts.destination.id})` },
      (signal) => parts.destination.export(encodeExport(units), signal),
    );
    return { accepted: units.length, refused: [] };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const [only] = units;
    if (units.length === 1 && only) {
      return { accepted: 0, refused: [{ unit: only, code: codeOf(error), reason: describeError(error) }] };
    }
  }
  const middle = Math.ceil(units.length / 2);
  const left = await deliver(units.slice(0, middle), parts);
  const right = await deliver(units.slice(middle), parts);
  return { accepted: left.accepted + right.accepted, refused: [...left.refused, ...right.refused] };
}

/** Cuts units into exports within the limits; a unit larger than an export goes alone. */
export function batchesOf(units: readonly SpanUnit[], limits: TelemetryLimits): SpanUnit[][] {
  const batches: SpanUnit[][] = [];
  let batch: SpanUnit[] = [];
  let bytes = 0;
  for (const unit of units) {
    const size = unit.span.json.length;
    if (batch.length > 0 && (batch.length >= limits.batchSpansMax || bytes + size > limits.batchBytesMax)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(unit);
    bytes += size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
