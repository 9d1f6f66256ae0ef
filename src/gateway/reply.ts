// What leaves towards the client: heads with the gateway's own headers, whole answers and errors. A whole answer or an
// error of a known client leaves only after its record is durable.

import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { ExchangeClose } from '#journal';
import type { Clock } from '#base';
import { envelope, errorHeaders, errors, type ApiError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { AnswerFacts } from './facts.ts';

/** A client that does not read what is already written is given up after this long. */
const lingerMs = 30_000;

/** Headers of an upstream that are the client's business too. */
const passedHeaders = /^(?:x-ratelimit-.+|openai-(?:processing-ms|version)|x-ms-region|apim-request-id)$/;

export interface Speaker {
  readonly rung: string;
  readonly upstream: string;
}

/** The headers that say who spoke. */
export function speakerHeaders(exchange: Exchange, speaker: Speaker): Record<string, string> {
  const { core, plan } = exchange;
  const made = exchange.attempts.filter((attempt) => attempt.outcome !== 'skipped').length;
  return {
    'x-request-id': exchange.id,
    'x-understudy-trace': exchange.trace.traceId,
    'x-understudy-attempts': String(made),
    'x-understudy-site': core.options.site,
    'x-understudy-epoch': core.epoch(),
    ...(speaker.rung === '' ? {} : { 'x-understudy-rung': speaker.rung }),
    ...(speaker.upstream === '' ? {} : { 'x-understudy-upstream': speaker.upstream }),
    ...(plan ? { 'x-understudy-behavior': plan.behavior } : {}),
    ...(exchange.noWrite ? { 'x-understudy-mode': 'no-write' } : {}),
  };
}

export function upstreamHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string' && passedHeaders.test(name)) passed[name] = value;
  }
  if (typeof headers['x-request-id'] === 'string') passed['x-upstream-request-id'] = headers['x-request-id'];
  return passed;
}

/** An error outside any exchange. */
export function sendError(response: ServerResponse, error: ApiError): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = envelope(error);
  response.writeHead(error.status, { ...errorHeaders(error), 'content-length': body.length });
  response.end(body);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length });
  response.end(body);
}

/** Records an error and tells it. An error is told even when it cannot be recorded; the gap is counted. */
export async function replyError(
  exchange: Exchange,
  error: ApiError,
  end: Speaker & { readonly outcome: ExchangeClose['outcome'] },
): Promise<void> {
  const body = envelope(error);
  exchange.capture.pass(body);
  const { outcome, rung, upstream } = end;
  await exchange.close({ outcome, rung, upstream, status: error.status, error: error.code ?? error.type });
  writeWhole(exchange, error.status, { ...speakerHeaders(exchange, end), ...errorHeaders(error) }, body);
}

/** Records a whole answer and then shows it. */
export async function replyWhole(
  exchange: Exchange,
  answer: Speaker & { readonly headers: Record<string, string>; readonly body: Buffer; readonly facts: AnswerFacts },
): Promise<void> {
  const { rung, upstream, facts, body } = answer;
  exchange.capture.pass(body);
  const refuses = exchange.onJournalFailure === 'refuse';
  if (refuses && !exchange.capture.flush()) return replyUnrecorded(exchange, answer);
  const recorded = await exchange.close({ outcome: 'answered', rung, upstream, status: 200, facts });
  if (!recorded && refuses) return replyUnrecorded(exchange, answer);
  writeWhole(exchange, 200, { ...answer.headers, ...speakerHeaders(exchange, answer) }, body);
}

/** The answer is there, but there is no record of it: the route would rather not give it. */
export async function replyUnrecorded(exchange: Exchange, speaker: Speaker): Promise<void> {
  const error = errors.journalUnavailable('the answer cannot be recorded, and this route does not answer without', {
    waitMs: 1_000,
  });
  const { rung, upstream } = speaker;
  await exchange.close({ outcome: 'failed', rung, upstream, status: error.status, error: 'journal_unavailable' });
  writeWhole(exchange, error.status, { ...speakerHeaders(exchange, speaker), ...errorHeaders(error) }, envelope(error));
}

function writeWhole(exchange: Exchange, status: number, headers: Record<string, string>, body: Buffer): void {
  const { response } = exchange;
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
  linger(response, exchange.core.options.clock);
}

/** Bounds how long written bytes may wait for a client that reads nothing. */
export function linger(response: ServerResponse, clock: Clock): void {
  if (response.writableLength === 0) return;
  const cancel = clock.after(lingerMs, () => response.destroy());
  response.once('close', cancel);
  response.once('finish', cancel);
}
