// One try of one upstream on behalf of an exchange: credential, body, headers and epoch put together, the attempt made,
// and what became of it written down.

import { codeOf, type Failure } from '#base';
import type { ExchangeAttempt } from '#journal';
import type { Fault } from '#resilience';
import { attempt, type AttemptResult } from './attempt.ts';
import type { ApiError } from './errors.ts';
import type { Exchange, Writable } from './exchange.ts';
import type { UpstreamPlan } from './plan.ts';
import { injectedFault } from './rehearsal.ts';
import type { ChatRequest } from './request.ts';
import { decideTools, offersWriteTools, upstreamBody } from './tools.ts';
import { traceparent } from './trace.ts';

export type Tried =
  | (Extract<AttemptResult, { kind: 'whole' | 'stream' }> & { readonly record: Writable<ExchangeAttempt> })
  | { readonly kind: 'fault'; readonly fault: Fault; readonly credential?: string }
  | { readonly kind: 'not-written' }
  | { readonly kind: 'aborted'; readonly startedMs: number }
  /** Write tools must be withheld now, and the request insists on one. */
  | { readonly kind: 'refused'; readonly error: ApiError };

export interface Try {
  readonly exchange: Exchange;
  readonly chat: ChatRequest;
  readonly rung: string;
  readonly upstream: UpstreamPlan;
}

export async function tryUpstream(input: Try): Promise<Tried> {
  const { exchange, upstream } = input;
  const { clock } = exchange.core.options;
  const startedMs = clock.monotonicMs();
  const atMs = clock.wallMs();
  const record: Writable<ExchangeAttempt> = {
    rung: input.rung,
    upstream: upstream.id,
    spanId: exchange.newSpanId(),
    startedAtMs: atMs,
    endedAtMs: atMs,
    outcome: 'failed',
  };
  exchange.attempts.push(record);
  const result = await makeAttempt(input, record.spanId);
  record.endedAtMs = clock.wallMs();
  switch (result.kind) {
    case 'whole':
    case 'stream':
      record.outcome = 'answered';
      record.status = 200;
      exchange.firstContentAtMs = record.endedAtMs;
      return { ...result, record };
    case 'fault':
      record.error = result.fault.code;
      if (result.fault.status !== undefined) record.status = result.fault.status;
      return result;
    case 'not-written':
      record.outcome = 'skipped';
      record.error = 'right_to_act_ended';
      exchange.noWrite = true;
      return result;
    case 'refused':
      record.outcome = 'skipped';
      record.error = 'tool_withheld';
      return result;
    case 'aborted':
      record.error = codeOf(exchange.deadline.signal.reason).toLowerCase();
      return { kind: 'aborted', startedMs };
  }
}

type Made = AttemptResult | (Tried & { kind: 'fault' | 'refused' });

async function makeAttempt(input: Try, spanId: string): Promise<Made> {
  const { exchange, chat, upstream } = input;
  const { core, plan } = exchange;
  const injected = exchange.rehearsal?.get(upstream.id);
  if (injected) return { kind: 'fault', fault: injectedFault(injected) };
  if (!plan) return { kind: 'aborted' };
  const tools = decideTools(chat, plan.route, exchange.noWrite);
  if (tools.refusal) return { kind: 'refused', error: tools.refusal };
  const credential = await readCredential(exchange, upstream);
  if (typeof credential !== 'string') return credential;
  const acts = !exchange.noWrite && offersWriteTools(chat, plan.route);
  const epoch = core.epoch();
  const result = await attempt({
    dispatcher: core.pool(upstream),
    path: upstream.path,
    headers: {
      'content-type': 'application/json',
      accept: chat.stream ? 'text/event-stream' : 'application/json',
      authorization: `Bearer ${credential}`,
      'user-agent': 'understudy',
      traceparent: traceparent(exchange.trace.traceId, spanId),
      ...(acts ? { 'x-understudy-epoch': epoch } : {}),
    },
    body: upstreamBody(chat, upstream.model, tools),
    stream: chat.stream,
    clean: (fault) => withoutSecret(fault, credential),
    clock: core.options.clock,
    connectMs: upstream.connectMs,
    firstByteMs: upstream.firstByteMs,
    idleMs: upstream.idleMs,
    signal: exchange.deadline.signal,
    ...(acts ? { mayWrite: () => core.mayOfferWrites() && core.epoch() === epoch } : {}),
  });
  if (result.kind !== 'fault') return result;
  return { ...result, credential };
}

async function readCredential(exchange: Exchange, upstream: UpstreamPlan): Promise<string | Made> {
  const { signal } = exchange.deadline;
  if (signal.aborted) return { kind: 'aborted' };
  const { promise: aborted, resolve } = Promise.withResolvers<Made>();
  const onAbort = (): void => resolve({ kind: 'aborted' });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([exchange.core.credentials.get(upstream.credential), aborted]);
  } catch (error) {
    const fault: Fault = {
      source: 'credential',
      code: 'upstream_credential_unreadable',
      message: `the gateway's credential cannot be read (${(error as Failure).code})`,
    };
    return { kind: 'fault', fault };
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Some vendors repeat the key they refuse; it goes no further. */
function withoutSecret(fault: Fault, secret: string): Fault {
  const clean = (text: string): string => text.replaceAll(secret, '[credential]');
  return {
    ...fault,
    code: clean(fault.code).slice(0, 100),
    message: clean(fault.message),
    ...(fault.type === undefined ? {} : { type: clean(fault.type).slice(0, 100) }),
    ...(fault.param === undefined ? {} : { param: clean(fault.param).slice(0, 200) }),
  };
}
