// What can go wrong at an upstream, and what that means: try the same upstream again, climb to the next rung, or tell
// the client. Decided by status and error code, never by message text.

import { unreachable } from '#base';

/** Where a fault showed itself. */
export type FaultSource =
  /** The upstream said so: an error status, an error event in a stream, an error body under HTTP 200. */
  | 'status'
  /** No connection: refused, unreachable, unknown name, failed handshake. */
  | 'connect'
  | 'connect-timeout'
  | 'first-byte-timeout'
  | 'idle-timeout'
  /** The connection broke while the answer was awaited or under way. */
  | 'reset'
  /** The answer ended cleanly before it was whole. */
  | 'truncated'
  /** Not what the protocol says: invalid JSON, wrong content type, too large. */
  | 'malformed'
  /** HTTP 200 with nothing in it. */
  | 'empty'
  /** Our own credential for the upstream could not be read. */
  | 'credential'
  /** The deadline of the whole exchange ended while this upstream was being waited for. */
  | 'deadline';

export interface Fault {
  readonly source: FaultSource;
  /** HTTP status, or the status that an error event stands for. Only with source `status`. */
  readonly status?: number;
  /** Stable snake_case code: the upstream's own when it sent one. */
  readonly code: string;
  /** The `type` of the upstream's error object. */
  readonly type?: string;
  readonly param?: string;
  readonly message: string;
  /** How long the upstream asked us to wait, milliseconds. */
  readonly waitMs?: number;
}

/** retry: the same upstream may be asked again. climb: only another rung helps. never: it is the client's to mend. */
export type Reaction = 'retry' | 'climb' | 'never';

/** Codes and types under HTTP 429 or 402 that no waiting mends: the account has no money or no quota left. */
const quotaCodes = new Set([
  'insufficient_quota',
  'credit_balance_exhausted',
  'organization_spend_limit_exceeded',
  'project_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
  'billing_hard_limit_reached',
  'billing_not_active',
]);

/** A filter's refusal is an answer: it is never routed around. */
const filterCodes = new Set(['content_filter', 'content_policy_violation', 'responsible_ai_policy_violation']);

/** A model the upstream does not know is a mistake in our stamp, not in the request. */
const modelCodes = new Set(['model_not_found', 'deployment_not_found', 'deploymentnotfound']);

export function isQuotaFault(fault: Fault): boolean {
  return quotaCodes.has(fault.code) || quotaCodes.has(fault.type ?? '');
}

export function isFilterFault(fault: Fault): boolean {
  return filterCodes.has(fault.code) || filterCodes.has(fault.type ?? '');
}

/** What may be done about a fault before any content has reached the client. */
export function reactionTo(fault: Fault): Reaction {
  switch (fault.source) {
    case 'status':
      return reactionToStatus(fault);
    case 'connect':
    case 'reset':
    case 'truncated':
    case 'empty':
      return 'retry';
    // A slow failure has used time that the next rung needs: only fast ones are repeated in place.
    case 'connect-timeout':
    case 'first-byte-timeout':
    case 'idle-timeout':
    case 'malformed':
    case 'credential':
    case 'deadline':
      return 'climb';
    default:
      return unreachable(fault.source);
  }
}

function reactionToStatus(fault: Fault): Reaction {
  if (isFilterFault(fault)) return 'never';
  if (isQuotaFault(fault) || modelCodes.has(fault.code.toLowerCase())) return 'climb';
  const status = fault.status ?? 502;
  switch (status) {
    case 408: // request timeout
    case 409: // conflict: the vendors use it for a lock that passes
    case 425: // too early
    case 429:
      return 'retry';
    // Our credential, our bill, our address or method: the client can do nothing about them.
    case 401:
    case 402:
    case 403:
    case 404:
    case 405:
    case 407:
    case 410:
    case 501:
    case 505:
      return 'climb';
    default:
      if (status >= 500) return 'retry'; // with 529, Anthropic's overloaded_error
      if (status >= 400) return 'never';
      return 'climb'; // a redirect or a success without an answer: configuration
  }
}

/** Whether the fault counts against the upstream in its breaker: the client's own mistakes do not. */
export function countsAgainstUpstream(fault: Fault): boolean {
  return reactionTo(fault) !== 'never' && fault.source !== 'deadline';
}
