// A relayed export becomes an item whose spans are what the application sent: ids, times and attributes unchanged. Only
// a span without any usable time gets one, because Langfuse would else give it a new start time at every replay.

import { Failure, isRecord } from '#base';
import type { TelemetryMeta } from '#journal';
import { itemOf, type Item, type ShippableSpan, type SpanGroup } from './item.ts';
import { nanosOf } from './otlp-json.ts';
import { decodeProtobufExport } from './otlp-protobuf.ts';
import { idText } from './validate.ts';

export function relayedItem(sequence: number, meta: TelemetryMeta, body: Uint8Array): Item {
  const groups: SpanGroup[] = [];
  for (const resource of parseExport(meta.contentType, body)) {
    if (!isRecord(resource) || !Array.isArray(resource['scopeSpans'])) continue;
    const { scopeSpans, ...outer } = resource;
    for (const scoped of scopeSpans as unknown[]) {
      if (!isRecord(scoped) || !Array.isArray(scoped['spans'])) continue;
      groups.push(groupOf(outer, scoped, meta.receivedAtMs));
    }
  }
  return itemOf(sequence, meta.receivedAtMs, groups);
}

/** `resourceSpans` of an export in OTLP/JSON form; rejects with `OTLP_UNREADABLE`. */
export function parseExport(contentType: TelemetryMeta['contentType'], body: Uint8Array): unknown[] {
  try {
    if (contentType === 'application/x-protobuf') return decodeProtobufExport(body);
    const parsed = parseKeepingDigits(new TextDecoder('utf-8', { fatal: true }).decode(body));
    if (parsed === null) throw new TypeError('null is no export');
    const resourceSpans = isRecord(parsed) ? parsed['resourceSpans'] : undefined;
    if (resourceSpans === undefined || resourceSpans === null) return [];
    if (!Array.isArray(resourceSpans)) throw new TypeError('resourceSpans is not an array');
    return resourceSpans as unknown[];
  } catch (error) {
    throw new Failure('OTLP_UNREADABLE', 'the export is not a readable OTLP trace export', { cause: error });
  }
}

/** JSON.parse, except that numbers a double cannot hold (64-bit integers as literals) are written back as they came. */
function parseKeepingDigits(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text) as unknown;
  // JSON.parse source text access (ECMAScript 2026); not yet in TypeScript's library.
  const json = JSON as unknown as {
    parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
    rawJSON(text: string): unknown;
  };
  return json.parse(text, (_key, value, context) =>
    typeof value === 'number' &&
    context.source !== undefined &&
    !Number.isSafeInteger(value) &&
    /^-?\d+$/.test(context.source)
      ? json.rawJSON(context.source)
      : value,
  );
}

function groupOf(outer: Record<string, unknown>, scoped: Record<string, unknown>, receivedAtMs: number): SpanGroup {
  const { spans, ...scope } = scoped;
  return {
    prefix: `${openEnded(outer, 'scopeSpans')}${openEnded(scope, 'spans')}`,
    suffix: ']}]}',
    spans: (spans as unknown[]).filter(isRecord).map((span) => shippable(span, receivedAtMs)),
  };
}

/** `{"resource":…,"scopeSpans":[` */
function openEnded(members: Record<string, unknown>, list: string): string {
  const text = JSON.stringify(members);
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"${list}":[`;
}

function shippable(span: Record<string, unknown>, receivedAtMs: number): ShippableSpan {
  // Langfuse takes the end for a missing start, and its own clock when both are missing.
  const startMs = timeMs(span['startTimeUnixNano']) ?? timeMs(span['endTimeUnixNano']);
  const sent =
    startMs === undefined
      ? { ...span, startTimeUnixNano: nanosOf(receivedAtMs), endTimeUnixNano: nanosOf(receivedAtMs) }
      : span;
  return {
    traceId: idText(span['traceId']),
    spanId: idText(span['spanId']),
    startMs: startMs ?? Math.floor(receivedAtMs),
    json: JSON.stringify(sent),
  };
}

/** Milliseconds of an OTLP time in any form Langfuse reads: decimal string, number, or {high, low} halves. */
function timeMs(value: unknown): number | undefined {
  let nanos: bigint | undefined;
  if (typeof value === 'string' && /^\s*\d+\s*$/.test(value)) nanos = BigInt(value.trim());
  else if (typeof value === 'number' && Number.isFinite(value)) nanos = BigInt(Math.trunc(value));
  else if (isRecord(value) && 'rawJSON' in value && typeof value['rawJSON'] === 'string')
    nanos = BigInt(value['rawJSON']);
  else if (isRecord(value) && typeof value['high'] === 'number' && typeof value['low'] === 'number') {
    nanos = (BigInt(value['high']) << 32n) | BigInt(value['low'] >>> 0);
  }
  if (nanos === undefined) return undefined;
  const ms = Number(nanos / 1_000_000n);
  // What Date cannot hold, Langfuse cannot either.
  return Math.abs(ms) <= 8.64e15 ? ms : undefined;
}
