// Where an exchange stands in the client's trace (W3C Trace Context), and whose session it belongs to.

import type { IncomingHttpHeaders } from 'node:http';
import { isRecord, randomHex, type Randomness } from '#base';

export interface Trace {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

/** The client's trace when it sent a valid `traceparent`, else a new one. The root span is always new. */
export function traceOf(headers: IncomingHttpHeaders, randomness: Randomness): Trace {
  const spanId = randomHex(8, randomness);
  const sent = headers['traceparent'];
  const match = typeof sent === 'string' ? /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/.exec(sent) : null;
  const [, version, traceId, parentSpanId] = match ?? [];
  const valid = version !== 'ff' && /[^0]/.test(traceId ?? '0') && /[^0]/.test(parentSpanId ?? '0');
  if (traceId === undefined || parentSpanId === undefined || !valid)
    return { traceId: randomHex(16, randomness), spanId };
  return { traceId, spanId, parentSpanId };
}

/** `traceparent` for a call made within the exchange. */
export function traceparent(traceId: string, spanId: string): string {
  return `00-${traceId}-${spanId}-01`;
}

/** Identifiers longer than this are cut: Langfuse keeps 200 characters of a session id. */
const identifierLengthMax = 200;

/** Session and user, when the client named them. */
export function identityOf(
  headers: IncomingHttpHeaders,
  body: Readonly<Record<string, unknown>>,
): { readonly sessionId?: string; readonly userId?: string } {
  const metadata = isRecord(body['metadata']) ? body['metadata'] : {};
  const sessionId = short(headers['x-session-id']) ?? short(metadata['session_id']);
  const userId = short(body['user']) ?? short(headers['x-user-id']);
  return { ...(sessionId === undefined ? {} : { sessionId }), ...(userId === undefined ? {} : { userId }) };
}

/** Request headers that are kept in the journal. Never credentials, cookies or addresses with a query. */
const keptHeaders = [
  'content-type',
  'user-agent',
  'x-client-request-id',
  'x-request-id',
  'x-ms-client-request-id',
  'x-azure-ref',
  'x-stainless-lang',
  'x-stainless-package-version',
  'x-stainless-retry-count',
];

export function keptHeadersOf(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = headers[name];
    if (typeof value === 'string') kept[name] = value.slice(0, identifierLengthMax);
  }
  return kept;
}

function short(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, identifierLengthMax) : undefined;
}
