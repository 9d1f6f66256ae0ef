// POST /v1/chat/completions: from the request of a known client to its recorded answer.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf, unreachable } from '#base';
import { countsAgainstUpstream } from '#resilience';
import type { Client } from '#stamp';
import type { Core } from './core.ts';
import { errors, type ApiError } from './errors.ts';
import { Exchange, type ExchangeStart } from './exchange.ts';
import { climb, type LadderEnd } from './ladder.ts';
import { replyMessage } from './message.ts';
import { rehearsalOf } from './rehearsal.ts';
import { replyError, replyUnrecorded, replyWhole, upstreamHeaders } from './reply.ts';
import { replyStream } from './reply-stream.ts';
import { checkContentType, parseChat, readBody, type ChatRequest } from './request.ts';
import { decideTools } from './tools.ts';

type Begun =
  | { readonly start: ExchangeStart; readonly chat: ChatRequest }
  | { readonly refused: ApiError; readonly start: ExchangeStart };

export async function answerChat(
  core: Core,
  request: IncomingMessage,
  response: ServerResponse,
  client: Client,
): Promise<void> {
  const begun = await begin(core, { client, request, response });
  const exchange = new Exchange(core, begun.start);
  try {
    if ('refused' in begun) {
      await replyError(exchange, begun.refused, { outcome: 'refused', rung: '', upstream: '' });
    } else {
      await answer(exchange, begun.chat);
    }
  } finally {
    exchange.release();
  }
}

/** Reads and judges the request, as far as it is good. */
async function begin(core: Core, who: Pick<ExchangeStart, 'client' | 'request' | 'response'>): Promise<Begun> {
  const { client, request } = who;
  let start: ExchangeStart = { ...who, body: Buffer.alloc(0), noWrite: !core.mayOfferWrites() };
  const refuse = (refused: ApiError): Begun => ({ refused, start });
  const wrongType = checkContentType(request);
  if (wrongType) return refuse(wrongType);
  const body = await readBody(request, core.options.stamp.gateway.bodyBytesMax);
  if (!body.ok) return refuse(body.error);
  start = { ...start, body: body.value };
  const parsed = parseChat(body.value);
  if (!parsed.ok) return refuse(parsed.error);
  const chat = parsed.value;
  start = { ...start, chat };
  const plan = core.plan.routeByModel.get(chat.model);
  if (!plan) {
    const name = JSON.stringify(chat.model.slice(0, 200));
    return refuse(errors.modelNotFound(`The model ${name} is not served here.`, { param: 'model' }));
  }
  if (!client.routes.includes(plan.route.id)) {
    return refuse(errors.routeNotAllowed(`Client ${client.id} may not use route ${plan.route.id}.`));
  }
  const rehearsal = rehearsalOf(request.headers, client, core.plan.upstreams);
  if (!rehearsal.ok) return refuse(rehearsal.error);
  const noWrite = start.noWrite || rehearsal.value !== undefined || plan.route.mode === 'no-write';
  const tools = decideTools(chat, plan.route, noWrite);
  start = { ...start, plan, noWrite, tools, ...(rehearsal.value ? { rehearsal: rehearsal.value } : {}) };
  if (tools.refusal) return refuse(tools.refusal);
  return { start, chat };
}

async function answer(exchange: Exchange, chat: ChatRequest): Promise<void> {
  // A record that fails at once is known at once: no model is called for an answer that would not be given.
  if (!exchange.capture.flush() && exchange.onJournalFailure === 'refuse') {
    return replyUnrecorded(exchange, { rung: '', upstream: '' });
  }
  const end = await climb(exchange, chat);
  switch (end.kind) {
    case 'answer':
      return replyAnswer(exchange, end);
    case 'message':
      return replyMessage(exchange, chat, end.text);
    case 'error':
      return replyError(exchange, end.error, end);
    case 'ended':
      return replyEnded(exchange, codeOf(end.reason));
    default:
      return unreachable(end);
  }
}

async function replyAnswer(exchange: Exchange, end: LadderEnd & { kind: 'answer' }): Promise<void> {
  const { rung, upstream, answer: given, permit } = end;
  const headers = upstreamHeaders(given.headers);
  if (given.kind === 'whole') {
    permit.passed();
    const type = given.headers['content-type'] ?? 'application/json';
    const { body, facts } = given;
    return replyWhole(exchange, { rung, upstream, headers: { ...headers, 'content-type': type }, body, facts });
  }
  const { stream, record } = given;
  return replyStream(exchange, {
    rung,
    upstream,
    headers,
    stream,
    ended(fault) {
      record.endedAtMs = exchange.core.options.clock.wallMs();
      if (fault === undefined) return permit.passed();
      record.outcome = 'failed';
      record.error = fault === 'abandoned' ? 'abandoned' : fault.code;
      if (fault !== 'abandoned' && countsAgainstUpstream(fault)) permit.failed();
      else permit.abandoned();
    },
  });
}

/** The exchange ended before anything was sent: nobody is listening, or the gateway closes. */
async function replyEnded(exchange: Exchange, code: string): Promise<void> {
  const last = exchange.attempts.at(-1);
  const speaker = { rung: last?.rung ?? '', upstream: last?.upstream ?? '' };
  if (code === 'GATEWAY_CLOSING') {
    const error = errors.closing('the gateway is closing; another one will answer', { waitMs: 1_000 });
    return replyError(exchange, error, { ...speaker, outcome: 'interrupted' });
  }
  // 499: the customary status of a request whose client did not wait.
  await exchange.close({ ...speaker, outcome: 'client_gone', status: 499, error: 'client_gone' });
}
