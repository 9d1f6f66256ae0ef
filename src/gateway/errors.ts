// Every error this port gives is the OpenAI envelope. The catalogue of the gateway's own errors is here; errors of
// upstreams are brought into the same shape by upstream-error.ts.

export interface ApiError {
  readonly status: number;
  /** OpenAI's `type`: `invalid_request_error`, `authentication_error`, `server_error` … */
  readonly type: string;
  readonly code: string | null;
  readonly param: string | null;
  readonly message: string;
  /** When asking again may help, milliseconds. */
  readonly waitMs?: number;
  /** False: the official clients are told not to repeat it by themselves. */
  readonly retryable?: boolean;
  /** More headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Official clients ignore waits above a minute and come back within seconds; they must be told not to. */
const clientWaitMaxMs = 60_000;

type Details = Partial<Pick<ApiError, 'param' | 'waitMs' | 'retryable' | 'headers'>>;

function define(status: number, type: string, code: string) {
  return (message: string, details: Details = {}): ApiError => ({
    status,
    type,
    code,
    param: null,
    message,
    ...details,
  });
}

/** The gateway's own errors, each with its one status and code. */
export const errors = {
  malformedJson: define(400, 'invalid_request_error', 'invalid_json'),
  invalidBody: define(400, 'invalid_request_error', 'invalid_request_body'),
  missingParameter: define(400, 'invalid_request_error', 'missing_required_parameter'),
  invalidParameter: define(400, 'invalid_request_error', 'invalid_type'),
  invalidHeader: define(400, 'invalid_request_error', 'invalid_header'),
  invalidKey: define(401, 'authentication_error', 'invalid_api_key'),
  routeNotAllowed: define(403, 'permission_error', 'route_not_allowed'),
  rehearsalNotAllowed: define(403, 'permission_error', 'rehearsal_not_allowed'),
  toolWithheld: define(400, 'invalid_request_error', 'tool_withheld'),
  modelNotFound: define(404, 'invalid_request_error', 'model_not_found'),
  unknownPath: define(404, 'invalid_request_error', 'unknown_url'),
  wrongMethod: define(405, 'invalid_request_error', 'method_not_allowed'),
  requestTimeout: define(408, 'invalid_request_error', 'request_timeout'),
  bodyTooLarge: define(413, 'invalid_request_error', 'request_too_large'),
  wrongContentType: define(415, 'invalid_request_error', 'unsupported_media_type'),
  internal: define(500, 'server_error', 'internal_error'),
  upstreamUnavailable: define(502, 'server_error', 'upstream_unavailable'),
  overloaded: define(503, 'server_error', 'gateway_overloaded'),
  closing: define(503, 'server_error', 'gateway_closing'),
  journalUnavailable: define(503, 'server_error', 'journal_unavailable'),
  allClosed: define(503, 'server_error', 'all_upstreams_closed'),
  deadline: define(504, 'server_error', 'deadline_exceeded'),
} as const;

/** The envelope, as the bytes of a body. */
export function envelope(error: ApiError): Buffer {
  const { message, type, param, code } = error;
  return Buffer.from(JSON.stringify({ error: { message, type, param, code } }));
}

/** The envelope as the last event of a broken stream: clients throw on it instead of ending silently. */
export function errorEvent(error: ApiError): Buffer {
  return Buffer.concat([Buffer.from('data: '), envelope(error), Buffer.from('\n\n')]);
}

/** Headers that belong to the error itself. */
export function errorHeaders(error: ApiError): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json; charset=utf-8', ...error.headers };
  if (error.waitMs !== undefined) {
    headers['retry-after'] = String(Math.max(1, Math.ceil(error.waitMs / 1_000)));
    headers['retry-after-ms'] = String(Math.ceil(error.waitMs));
  }
  if (error.retryable === false || (error.waitMs ?? 0) > clientWaitMaxMs) headers['x-should-retry'] = 'false';
  return headers;
}
