// The failures of calls to Langfuse, told apart by what the caller can do about them. The server's own message is kept
// (cut short); keys never are.

import { Failure, isRecord, tryParseJson, type FailureOptions } from '#base';

const messageCharactersMax = 300;

/** What answered with an error status. */
export interface ErrorReply {
  readonly status: number;
  readonly body: unknown;
  /** Value of the `retry-after` header. */
  readonly retryAfter: string | null;
  /** Which call, for people: `create prompt greet`. */
  readonly what: string;
  /** Where: the base URL. */
  readonly url: string;
  readonly wallMs: number;
}

export function failureOfReply(reply: ErrorReply): Failure {
  const { status } = reply;
  const said = messageOf(reply.body);
  const build = (code: string, options: FailureOptions): Failure =>
    new Failure(code, `Langfuse at ${reply.url} answered ${status} to ${reply.what}${said ? `: ${said}` : ''}`, {
      ...options,
      details: { ...options.details, status },
    });
  if (status === 429) {
    const retryAfterMs = waitOf(reply.retryAfter, reply.wallMs);
    return build('LANGFUSE_BUSY', { next: 'retry', details: { retryAfterMs }, hint: 'wait as long as it asks' });
  }
  if (status === 401 || status === 403) {
    return build('LANGFUSE_UNAUTHORIZED', {
      next: 'ask_operator',
      hint: 'check publicKey and secretKey of this site in the stamp; they must be project keys of this server',
    });
  }
  if (status === 413) return build('LANGFUSE_TOO_LARGE', { hint: 'send it in smaller parts' });
  if (status === 404) return build('LANGFUSE_NOT_FOUND', {});
  if (status === 409) return build('LANGFUSE_CONFLICT', { next: 'retry' });
  if (status === 408 || status >= 500) return build('LANGFUSE_FAILED', { next: 'retry' });
  return build('LANGFUSE_REJECTED', { hint: 'the server will refuse the same content again' });
}

export function unreachable(url: string, what: string, cause: unknown): Failure {
  return new Failure('LANGFUSE_UNREACHABLE', `Langfuse at ${url} gave no answer to ${what}`, {
    next: 'retry',
    hint: 'check that the server runs and that the network lets this site reach it',
    cause,
  });
}

export function timedOut(url: string, what: string, deadlineMs: number): Failure {
  return new Failure('LANGFUSE_TIMEOUT', `Langfuse at ${url} did not answer ${what} within ${deadlineMs} ms`, {
    next: 'retry',
    hint: 'a frozen Redis or database behind it hangs every call while its health stays green',
    details: { deadlineMs },
  });
}

export function unexpected(url: string, what: string, why: string): Failure {
  return new Failure('LANGFUSE_UNEXPECTED', `what answered ${what} at ${url} is not Langfuse as known: ${why}`, {
    next: 'ask_operator',
    hint: 'check the URL, a proxy in between, and the version of the server',
  });
}

/** Codes after which nobody knows whether a write took effect. */
export const unknownOutcomeCodes: ReadonlySet<string> = new Set([
  'LANGFUSE_UNREACHABLE',
  'LANGFUSE_TIMEOUT',
  'LANGFUSE_FAILED',
  'LANGFUSE_UNEXPECTED',
  'LANGFUSE_CONFLICT',
]);

/** RFC 9110 §10.2.3: seconds, or a date. One second when the header is absent or unreadable. */
function waitOf(retryAfter: string | null, wallMs: number): number {
  if (retryAfter === null) return 1_000;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1_000;
  const dateMs = Date.parse(retryAfter);
  return Number.isNaN(dateMs) ? 1_000 : Math.max(0, dateMs - wallMs);
}

function messageOf(body: unknown): string {
  const parsed = typeof body === 'string' ? tryParseJson(body) : { ok: true as const, value: body };
  if (!parsed.ok || !isRecord(parsed.value)) return '';
  const { message, error } = parsed.value;
  const details = Array.isArray(error) ? JSON.stringify(error) : error;
  return [message, details]
    .filter((part) => typeof part === 'string' && part !== '')
    .join(': ')
    .slice(0, messageCharactersMax);
}
