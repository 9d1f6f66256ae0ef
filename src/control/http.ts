// One HTTP call between Understudy's own processes: JSON both ways, a deadline, our error shape.

import { request } from 'undici';
import { codeOf, describeError, Failure, isRecord, tryParseJson, type Next } from '#base';

export interface OwnCall {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly authorization: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

const answerBytesMax = 67_108_864;

/** The JSON answer; rejects with the other side's code, or with `UNREACHABLE`. */
export async function callOwn(call: OwnCall): Promise<unknown> {
  let status: number;
  let text: string;
  try {
    const response = await request(call.url, {
      method: call.method,
      signal: call.signal,
      headers: { authorization: call.authorization, 'content-type': 'application/json' },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
    status = response.statusCode;
    text = await response.body.text();
  } catch (error) {
    throw new Failure('UNREACHABLE', `${new URL(call.url).origin} does not answer: ${describeError(error)}`, {
      next: 'retry',
      cause: error,
      details: { code: codeOf(error) },
    });
  }
  const parsed = text.length > answerBytesMax ? { ok: false as const } : tryParseJson(text);
  if (status >= 200 && status < 300 && parsed.ok) return parsed.value;
  throw failureOf(status, parsed.ok ? parsed.value : undefined);
}

function failureOf(status: number, body: unknown): Failure {
  const error = isRecord(body) && isRecord(body['error']) ? body['error'] : {};
  const code = typeof error['code'] === 'string' ? error['code'] : 'UNEXPECTED_ANSWER';
  const message = typeof error['message'] === 'string' ? error['message'] : `answered with status ${status}`;
  return new Failure(code, message, {
    next: (typeof error['next'] === 'string' ? error['next'] : 'stop') as Next,
    ...(typeof error['hint'] === 'string' ? { hint: error['hint'] } : {}),
  });
}

/** Our error shape on the wire. */
export function errorBody(thrown: unknown): { error: { code: string; message: string; hint?: string; next: Next } } {
  if (thrown instanceof Failure) {
    const { code, message, hint, next } = thrown;
    return { error: { code, message, next, ...(hint === undefined ? {} : { hint }) } };
  }
  return { error: { code: codeOf(thrown), message: describeError(thrown), next: 'ask_operator' } };
}
