// Errors as upstreams send them, brought into one shape. They differ: OpenAI's envelope, numeric codes and HTTP 200
// (OpenRouter), a bare object (vLLM), `error_code` (Databricks), `detail` (FastAPI), or a page of HTML from a proxy.

import { isRecord, tryParseJson } from '#base';
import { isFilterFault, isQuotaFault, waitHintMs, type Fault, type HeaderValues } from '#resilience';
import type { ApiError } from './errors.ts';

/** Longest message passed on; a page of HTML is not an error message. */
const messageLengthMax = 1_000;

/** The error object in a parsed body or event, if that is what it is. */
export function errorObjectOf(value: unknown): Record<string, unknown> | undefined {
  if (!isRecord(value)) return undefined;
  if (isRecord(value['error'])) return value['error'];
  if (typeof value['error'] === 'string') return { message: value['error'] };
  if (value['object'] === 'error' || typeof value['error_code'] === 'string') return value;
  const first: unknown = Array.isArray(value['choices']) ? value['choices'][0] : undefined;
  return isRecord(first) && isRecord(first['error']) ? first['error'] : undefined;
}

/** The fault behind an answer with an error status. */
export function faultOfStatus(answer: { status: number; headers: HeaderValues; body: Buffer; wallMs: number }): Fault {
  const parsed = tryParseJson(answer.body.toString('utf8'));
  const object = parsed.ok ? (errorObjectOf(parsed.value) ?? plainObject(parsed.value)) : {};
  const fault = faultOfObject(object, answer.status);
  const waitMs = waitHintMs(answer.headers, answer.wallMs);
  return waitMs === undefined ? fault : { ...fault, waitMs };
}

/** The fault behind an error object, under HTTP 200 or within a stream when no status is given. */
export function faultOfObject(object: Record<string, unknown>, status?: number): Fault {
  const type = text(object['type']);
  const inner = isRecord(object['innererror']) ? text(object['innererror']['code']) : undefined;
  const named = inner === 'ResponsibleAIPolicyViolation' ? 'content_filter' : codeText(object);
  const code = named ?? type ?? `http_${status ?? 502}`;
  const param = text(object['param']);
  const fault: Fault = {
    source: 'status',
    status: status ?? statusOf(object, code, type),
    code,
    message: (text(object['message']) ?? 'the upstream gave no message').slice(0, messageLengthMax),
  };
  return { ...fault, ...(type === undefined ? {} : { type }), ...(param === undefined ? {} : { param }) };
}

/** What the client is told about an upstream's fault. Nothing of our own credential is ever shown as the client's. */
export function clientError(fault: Fault, upstream: string): ApiError {
  const wait = fault.waitMs === undefined ? {} : { waitMs: fault.waitMs };
  const base = { param: null, ...wait };
  if (fault.source !== 'status') return { ...base, ...shownOfSource(fault), message: messageFor(fault, upstream) };
  const status = fault.status ?? 502;
  if (isQuotaFault(fault)) {
    const message = `upstream ${upstream} has no quota left`;
    return { ...base, status: 429, type: 'insufficient_quota', code: fault.code, message, retryable: false };
  }
  if (status === 429) {
    const message = `upstream ${upstream} limits the rate`;
    return { ...base, status, type: 'rate_limit_error', code: 'rate_limit_exceeded', message };
  }
  if ([401, 402, 403, 407].includes(status)) {
    const message = `upstream ${upstream} does not accept the gateway's own credential`;
    return { ...base, status: 502, type: 'server_error', code: 'upstream_credential_rejected', message };
  }
  if (status === 503 || status === 529) {
    return {
      ...base,
      status: 503,
      type: 'server_error',
      code: 'upstream_overloaded',
      message: messageFor(fault, upstream),
    };
  }
  return { ...base, status: 502, type: 'server_error', code: shownCode(status), message: messageFor(fault, upstream) };
}

/** A fault that is the client's to mend, as the upstream worded it. */
export function refusalError(fault: Fault): ApiError {
  return {
    status: fault.status ?? 400,
    type: isFilterFault(fault) ? (fault.type ?? 'invalid_request_error') : (fault.type ?? 'invalid_request_error'),
    code: fault.code.startsWith('http_') ? null : fault.code,
    param: fault.param ?? null,
    message: fault.message,
  };
}

function shownOfSource(fault: Fault): { status: number; type: string; code: string } {
  const timeouts = ['connect-timeout', 'first-byte-timeout', 'idle-timeout', 'deadline'];
  if (timeouts.includes(fault.source)) return { status: 504, type: 'server_error', code: fault.code };
  return { status: 502, type: 'server_error', code: fault.code };
}

function shownCode(status: number): string {
  return status >= 500 || status === 408 || status === 409 || status === 425
    ? 'upstream_error'
    : 'upstream_misconfigured';
}

function messageFor(fault: Fault, upstream: string): string {
  const how = fault.source === 'status' ? `failed with HTTP ${fault.status} (${fault.code})` : fault.message;
  return `upstream ${upstream}: ${how}`;
}

/** Statuses that stand in for an error without one, by its numeric code or its name. */
function statusOf(object: Record<string, unknown>, code: string, type: string | undefined): number {
  const numeric = Number(object['code'] ?? object['status']);
  if (Number.isInteger(numeric) && numeric >= 400 && numeric <= 599) return numeric;
  const fault: Fault = { source: 'status', code, message: '', ...(type === undefined ? {} : { type }) };
  if (isFilterFault(fault)) return 400;
  if (isQuotaFault(fault)) return 429;
  const names = `${code} ${type ?? ''}`;
  if (/rate_limit|too_many_requests|slow_down/i.test(names)) return 429;
  if (/overloaded/i.test(names)) return 529;
  if (/server_error|internal/i.test(code)) return 500;
  if (/invalid_request|BadRequest/i.test(names)) return 400;
  return 502;
}

function codeText(object: Record<string, unknown>): string | undefined {
  const code = object['code'] ?? object['error_code'];
  return typeof code === 'string' && code !== '' ? code : undefined;
}

function plainObject(value: unknown): Record<string, unknown> {
  if (!isRecord(value)) return {};
  return typeof value['detail'] === 'string' ? { message: value['detail'] } : value;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
