// One call to a simulated model: who asks, the headers of every answer, the refusal of a wrong one, and the ledger's record
// of what was served.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemClock } from '#base';
import { sendJson, type VendorCall } from '../kit/mod.ts';
import type { Manner } from './answers.ts';
import type { Completion } from './completion.ts';
import { missingKey, Refusal, serverError, wrongKey } from './errors.ts';
import type { ChatRequest } from './request.ts';

export interface ModelOptions {
  readonly name: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly dataFile: string;
  /** Accepted keys, and who holds each: the ledger names the holder, never the key. */
  readonly apiKeys: Readonly<Record<string, string>>;
  /** Models served. Equal names answer equally at every endpoint. */
  readonly models: readonly string[];
  readonly region: string;
  /** Thinking time before the first byte of an answer (default 0). */
  readonly firstByteMs?: number;
  /** Time between events of a stream (default 0). */
  readonly tokenIntervalMs?: number;
  /** Default 128,000. */
  readonly contextTokensMax?: number;
  /** `chatty` models dress the answers that `terse` ones give bare (default terse). */
  readonly manner?: Manner;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: VendorCall;
  readonly options: ModelOptions;
  readonly id: string;
  readonly startedMs: number;
}

export function wrongMethod(method: string, path: string): Refusal {
  return new Refusal(405, {
    message: `Not allowed to ${method} on ${path}. (HINT: Perhaps you meant to use a different HTTP method?)`,
    code: 'method_not_supported',
  });
}

export function authenticate(exchange: Exchange): void {
  const key = /^Bearer\s+(\S+)$/i.exec(exchange.request.headers.authorization ?? '')?.[1];
  if (key === undefined) throw missingKey();
  const principal = Object.hasOwn(exchange.options.apiKeys, key) ? exchange.options.apiKeys[key] : undefined;
  if (principal === undefined) throw wrongKey(key);
  exchange.call.principal(principal);
}

export function recordCompletion(
  exchange: Exchange,
  outcome: { request: ChatRequest; completion: Completion; end: string },
): void {
  const { request, completion, end } = outcome;
  const traceparent = exchange.request.headers['traceparent'];
  exchange.call.effect('completion', completion.id, {
    model: request.model,
    stream: request.stream,
    tools: request.tools.map((tool) => tool.name),
    finishReasons: completion.choices.map((choice) => choice.finishReason),
    end,
    region: exchange.options.region,
    ...(typeof traceparent === 'string' ? { traceId: traceparent.split('-')[1] } : {}),
  });
}

/** Headers as api.openai.com sends them; the simulator's limits are never reached except by faults. */
export function headersOf(exchange: Exchange): Record<string, string> {
  return {
    'x-request-id': `req_${exchange.id}`,
    'openai-version': '2020-10-01',
    'openai-organization': 'lab',
    'openai-processing-ms': String(Math.round(systemClock.monotonicMs() - exchange.startedMs)),
    'x-ms-region': exchange.options.region,
    'x-ratelimit-limit-requests': '30000',
    'x-ratelimit-limit-tokens': '150000000',
    'x-ratelimit-remaining-requests': '29999',
    'x-ratelimit-remaining-tokens': '149999967',
    'x-ratelimit-reset-requests': '2ms',
    'x-ratelimit-reset-tokens': '0s',
  };
}

export function refuse(exchange: Exchange, error: unknown): void {
  exchange.request.resume();
  if (error instanceof Refusal) {
    sendJson(exchange.response, error.status, error.envelope, headersOf(exchange));
  } else if (error instanceof Error && 'code' in error && error.code === 'BODY_TOO_LARGE') {
    const { envelope } = new Refusal(413, { message: 'Request body too large.' });
    sendJson(exchange.response, 413, envelope, { ...headersOf(exchange), connection: 'close' });
  } else {
    process.stderr.write(`${exchange.options.name}: ${String(error)}\n`);
    sendJson(exchange.response, 500, serverError, headersOf(exchange));
  }
}
