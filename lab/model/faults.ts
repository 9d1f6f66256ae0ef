// Faults of a model provider, ready for `PUT /_lab/faults`: the kit's status faults dressed as OpenAI's errors, and the
// special faults that this simulator understands.

import type { Fault, VendorCall } from '../kit/mod.ts';
import { serverError } from './errors.ts';

/** Streams: after how many events it happens (default 3, and before the finish reason at the latest). `slow-tokens`: milliseconds between events (default 250). */
export const specialFaults = [
  /** The connection is reset after n events; a reply that is not streamed is cut in its middle. */
  'cut-stream',
  /** After n events nothing more comes, and the connection stays open. */
  'stall-stream',
  /** After n events comes one that is not JSON; then the stream ends. */
  'malformed-event',
  /** After n events comes `data: {"error":…}`, and the stream ends without `[DONE]`. */
  'error-event',
  /** After n events the stream ends cleanly: no finish reason, no `[DONE]`. */
  'end-early',
  /** All events are sent, but no `[DONE]`. */
  'no-done',
  /** Status 200 with the error envelope as body, or as the first event. */
  'error-in-200',
  /** Each event comes late. */
  'slow-tokens',
] as const;
export type SpecialFault = (typeof specialFaults)[number];

export interface Scope {
  /** How many calls it hits; absent: until removed. */
  readonly times?: number;
  readonly skip?: number;
}

const completionsOnly = '^POST /v1/chat/completions$';

export function specialFault(name: SpecialFault, options: Scope & { value?: number } = {}): Fault {
  const { value, ...scope } = options;
  return { kind: 'special', name, match: completionsOnly, ...(value === undefined ? {} : { value }), ...scope };
}

/** A 429 with one of the wait headers OpenAI and Azure send: `{ 'retry-after': '2' }`, `{ 'retry-after-ms': '250' }`,
 * `{ 'x-ms-retry-after-ms': '250' }`, `{ 'x-ratelimit-reset-requests': '1s' }`, or none at all. */
export function rateLimited(headers: Record<string, string> = {}, scope: Scope = {}): Fault {
  return errorFault(
    429,
    { ...scope, headers },
    {
      message: 'Rate limit reached for requests. Please try again later.',
      type: 'requests',
      param: null,
      code: 'rate_limit_exceeded',
    },
  );
}

/** A 429 that no waiting mends (github.com/langchain-ai/chat-langchain/issues/428). */
export function insufficientQuota(scope: Scope = {}): Fault {
  return errorFault(429, scope, {
    message: 'You exceeded your current quota, please check your plan and billing details.',
    type: 'insufficient_quota',
    param: null,
    code: 'insufficient_quota',
  });
}

/** A burst of 500, 502, 503 …; `headers` for a `retry-after`. */
export function serverFailure(status = 500, options: Scope & { headers?: Record<string, string> } = {}): Fault {
  return errorFault(status, options, serverError.error);
}

/** Azure's refusal by content filter: a 400 that must not be routed around. */
export function contentFiltered(scope: Scope = {}): Fault {
  return errorFault(400, scope, {
    message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    type: null,
    param: 'prompt',
    code: 'content_filter',
    status: 400,
    innererror: {
      code: 'ResponsibleAIPolicyViolation',
      content_filter_result: { hate: { filtered: true, severity: 'high' } },
    },
  });
}

/** What a proxy in front of the provider says when the provider is gone: HTML, no envelope. */
export function proxyFailure(status = 502, scope: Scope = {}): Fault {
  const body = `<html><head><title>${status}</title></head><body><center><h1>${status}</h1></center></body></html>`;
  return { kind: 'status', status, headers: { 'content-type': 'text/html' }, body, match: completionsOnly, ...scope };
}

function errorFault(
  status: number,
  options: Scope & { headers?: Record<string, string> },
  error: Record<string, unknown>,
): Fault {
  const { headers = {}, ...scope } = options;
  return { kind: 'status', status, headers, body: JSON.stringify({ error }), match: completionsOnly, ...scope };
}

/** What befalls this call's stream. */
export interface StreamTrouble {
  readonly breaks:
    { readonly how: 'cut' | 'stall' | 'malformed' | 'error' | 'end'; readonly afterEvents: number } | undefined;
  readonly withoutDone: boolean;
  /** Milliseconds between events, when the fault says so. */
  readonly intervalMs: number | undefined;
}

export function troubleOf(call: VendorCall): StreamTrouble {
  const kinds = [
    ['cut-stream', 'cut'],
    ['stall-stream', 'stall'],
    ['malformed-event', 'malformed'],
    ['error-event', 'error'],
    ['end-early', 'end'],
  ] as const;
  const found = kinds
    .map(([name, how]) => ({ how, fault: call.special(name) }))
    .find((candidate) => candidate.fault !== undefined);
  const slow = call.special('slow-tokens');
  return {
    breaks: found?.fault ? { how: found.how, afterEvents: numberOr(found.fault.value, 3) } : undefined,
    withoutDone: call.special('no-done') !== undefined,
    intervalMs: slow ? numberOr(slow.value, 250) : undefined,
  };
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' ? value : fallback;
}
