// Judges a trace export as Langfuse 4.16 does before it accepts one (validateOtelSpanIds and the OTLP route in its
// source; recorded replies "otel no traceId", "otel attrs as object"): one bad span refuses the whole export.

import { isRecord } from '#base';

export interface ExportVerdict {
  readonly spans: number;
  /** The error text of the 400, absent when the export is acceptable. */
  readonly error?: string;
}

const scopeNamesMax = 5;

export function judgeExport(resourceSpans: readonly unknown[]): ExportVerdict {
  const seen = new Judgement();
  for (const resource of resourceSpans) judgeResource(seen, resource);
  if (seen.badSpans === 0 && seen.badLists === 0) return { spans: seen.spans };
  return { spans: seen.spans, error: errorText(seen) };
}

class Judgement {
  spans = 0;
  badSpans = 0;
  badLists = 0;
  readonly reasons = new Set<string>();
  readonly scopes = new Set<string>();

  badList(reason: string): void {
    this.badLists++;
    this.reasons.add(`${reason}:not_an_array`);
  }

  scope(name: unknown): void {
    if (typeof name === 'string' && name !== '' && this.scopes.size < scopeNamesMax) this.scopes.add(name);
  }
}

function judgeResource(seen: Judgement, resource: unknown): void {
  const holder = isRecord(resource) ? resource : {};
  if (notAList(isRecord(holder['resource']) ? holder['resource']['attributes'] : undefined)) {
    seen.badList('resource.attributes');
  }
  if (notAList(holder['scopeSpans'])) seen.badList('scopeSpans');
  if (!Array.isArray(holder['scopeSpans'])) return;
  for (const scopeSpans of holder['scopeSpans'] as unknown[]) judgeScope(seen, isRecord(scopeSpans) ? scopeSpans : {});
}

function judgeScope(seen: Judgement, scopeSpans: Record<string, unknown>): void {
  const scope = isRecord(scopeSpans['scope']) ? scopeSpans['scope'] : {};
  if (notAList(scope['attributes'])) {
    seen.badList('scope.attributes');
    seen.scope(scope['name']);
  }
  if (notAList(scopeSpans['spans'])) {
    seen.badList('spans');
    seen.scope(scope['name']);
  }
  if (!Array.isArray(scopeSpans['spans'])) return;
  for (const span of scopeSpans['spans'] as unknown[]) {
    seen.spans++;
    const reasons = spanReasons(isRecord(span) ? span : {});
    if (reasons.length === 0) continue;
    seen.badSpans++;
    for (const reason of reasons) seen.reasons.add(reason);
    seen.scope(scope['name']);
  }
}

function spanReasons(span: Record<string, unknown>): string[] {
  const reasons: string[] = [];
  for (const field of ['traceId', 'spanId'] as const) {
    const reason = idReason(span[field]);
    if (reason !== undefined) reasons.push(`${field}:${reason}`);
  }
  const parentReason = span['parentSpanId'] ? idReason(span['parentSpanId']) : undefined;
  if (parentReason !== undefined) reasons.push(`parentSpanId:${parentReason}`);
  if (notAList(span['attributes'])) reasons.push('attributes:not_an_array');
  if (notAList(span['events'])) reasons.push('events:not_an_array');
  const events = Array.isArray(span['events']) ? (span['events'] as unknown[]) : [];
  if (events.some((event) => isRecord(event) && notAList(event['attributes']))) {
    reasons.push('event.attributes:not_an_array');
  }
  return reasons;
}

/** Any string, byte array or serialised Buffer is an id. An empty one is absent: it could never be read back. */
function idReason(value: unknown): 'absent' | 'not_an_id' | undefined {
  if (value === null || value === undefined || value === '') return 'absent';
  if (typeof value === 'string') return undefined;
  const bytes = idBytes(value);
  if (!bytes) return 'not_an_id';
  return bytes.length === 0 ? 'absent' : undefined;
}

/** The id as Langfuse stores it: strings as they are, bytes as hex. */
export function idText(value: unknown): string {
  if (typeof value === 'string') return value;
  return Buffer.from((idBytes(value) ?? []) as number[]).toString('hex');
}

function idBytes(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  if (isRecord(value) && value['type'] === 'Buffer' && Array.isArray(value['data'])) return value['data'] as unknown[];
  return undefined;
}

function notAList(value: unknown): boolean {
  return value !== null && value !== undefined && !Array.isArray(value);
}

function errorText(seen: Judgement): string {
  const reasons = [...seen.reasons];
  const problems = [
    ...(seen.badSpans > 0 ? [`${seen.badSpans} of ${seen.spans} span(s) cannot be processed`] : []),
    ...(seen.badLists > 0 ? [`${seen.badLists} resource- or scope-level field(s) are present but not arrays`] : []),
  ];
  const hints = [
    ...(reasons.some((reason) => /:(absent|not_an_id)$/.test(reason))
      ? ['traceId and spanId are required on every span, and each must be a string or a byte array.']
      : []),
    ...(reasons.some((reason) => reason.endsWith(':not_an_array'))
      ? [
          'scopeSpans, spans, attributes and events must all be arrays — OTLP attributes are a list of {key, value} entries, not a JSON object.',
        ]
      : []),
  ];
  return (
    `Invalid OTLP trace export: ${problems.join('; ')} (${reasons.join(', ')}). ${hints.join(' ')} ` +
    'The entire export was rejected and no spans were ingested. ' +
    `Instrumentation scopes: ${[...seen.scopes].join(', ') || 'unknown'}. ` +
    'This endpoint accepts OpenTelemetry traces only — if you are exporting OpenTelemetry logs, point your log exporter elsewhere.'
  );
}
