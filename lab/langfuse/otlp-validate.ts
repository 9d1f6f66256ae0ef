// What makes Langfuse 4 refuse a whole export: one span without proper ids, or a list that is not an array.

import { isRecord } from '#base';

export interface SpanInExport {
  readonly span: Readonly<Record<string, unknown>>;
  readonly scope: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface CheckedExport {
  readonly spans: readonly SpanInExport[];
  /** The error text when the export is refused. */
  readonly refusal: string | undefined;
}

const samplesMax = 5;
const idHint = 'traceId and spanId are required on every span, and each must be a string or a byte array.';
const arrayHint =
  'scopeSpans, spans, attributes and events must all be arrays — OTLP attributes are a list of {key, value} entries, ' +
  'not a JSON object.';

export function checkExport(resourceSpans: unknown): CheckedExport {
  const found: SpanInExport[] = [];
  const reasons = new Set<string>();
  const scopeNames = new Set<string>();
  let invalid = 0;
  const lists = { ids: false, arrays: false };
  const complain = (reason: string): void => {
    if (reasons.size < samplesMax) reasons.add(reason);
    if (reason.endsWith(':not_an_array')) lists.arrays = true;
    else lists.ids = true;
  };
  for (const { list, scope, resource } of scopesOf(resourceSpans, complain)) {
    for (const span of list) {
      const bad = isRecord(span) ? reasonsOf(span) : ['span:not_an_object'];
      if (isRecord(span)) found.push({ span, scope, resource });
      if (bad.length > 0) {
        invalid++;
        for (const reason of bad) complain(reason);
        if (scopeNames.size < samplesMax) scopeNames.add(nameOf(scope));
      }
    }
  }
  if (reasons.size === 0) return { spans: found, refusal: undefined };
  const hints = [...(lists.ids ? [idHint] : []), ...(lists.arrays ? [arrayHint] : [])].join(' ');
  return {
    spans: found,
    refusal:
      `Invalid OTLP trace export: ${invalid} of ${found.length} span(s) cannot be processed (${[...reasons].join(', ')}). ` +
      `${hints} The entire export was rejected and no spans were ingested. ` +
      `Instrumentation scopes: ${[...scopeNames].join(', ') || 'unknown'}. This endpoint accepts OpenTelemetry traces ` +
      'only — if you are exporting OpenTelemetry logs, point your log exporter elsewhere.',
  };
}

interface ScopeOfExport {
  readonly list: readonly unknown[];
  readonly scope: Record<string, unknown>;
  readonly resource: Record<string, unknown>;
}

function* scopesOf(resourceSpans: unknown, complain: (reason: string) => void): Generator<ScopeOfExport> {
  for (const resourceSpan of arrayOr(resourceSpans, 'resourceSpans', complain)) {
    if (!isRecord(resourceSpan)) continue;
    const resource = isRecord(resourceSpan['resource']) ? resourceSpan['resource'] : {};
    if (notArray(resource['attributes'])) complain('resource.attributes:not_an_array');
    for (const scopeSpan of arrayOr(resourceSpan['scopeSpans'], 'scopeSpans', complain)) {
      if (!isRecord(scopeSpan)) continue;
      const scope = isRecord(scopeSpan['scope']) ? scopeSpan['scope'] : {};
      yield { list: arrayOr(scopeSpan['spans'], 'spans', complain), scope, resource };
    }
  }
}

function reasonsOf(span: Record<string, unknown>): string[] {
  const reasons: string[] = [];
  for (const [field, bytes] of [
    ['traceId', 16],
    ['spanId', 8],
  ] as const) {
    const reason = idReason(span[field], bytes);
    if (reason) reasons.push(`${field}:${reason}`);
  }
  for (const field of ['attributes', 'events']) {
    if (notArray(span[field])) reasons.push(`${field}:not_an_array`);
  }
  return reasons;
}

/** Hex text or bytes of the right length pass; so does any text that is not hex, which the server stores as it is. */
function idReason(id: unknown, bytes: number): 'absent' | 'wrong_length' | 'not_an_id' | undefined {
  if (id === undefined || id === null || id === '') return 'absent';
  if (typeof id === 'string') {
    if (!/^[0-9a-f]+$/i.test(id)) return undefined;
    return id.length === bytes * 2 ? undefined : 'wrong_length';
  }
  const raw = bytesOf(id);
  if (!raw) return 'not_an_id';
  return raw.length === bytes ? undefined : raw.length === 0 ? 'absent' : 'wrong_length';
}

/** The bytes of an id given as Buffer, as an array of numbers, or as a Buffer that went through JSON. */
export function bytesOf(id: unknown): Buffer | undefined {
  if (id instanceof Uint8Array) return Buffer.from(id);
  if (Array.isArray(id)) return Buffer.from(id as number[]);
  if (isRecord(id) && Array.isArray(id['data'])) return Buffer.from(id['data'] as number[]);
  return undefined;
}

function arrayOr(value: unknown, name: string, complain: (reason: string) => void): readonly unknown[] {
  if (notArray(value)) complain(`${name}:not_an_array`);
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function notArray(value: unknown): boolean {
  return value !== undefined && value !== null && !Array.isArray(value);
}

function nameOf(scope: Record<string, unknown>): string {
  return typeof scope['name'] === 'string' ? scope['name'] : '';
}
