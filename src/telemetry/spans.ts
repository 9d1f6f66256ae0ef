// An exchange becomes one trace: the root span is the exchange (a GENERATION in Langfuse), one child span per attempt.
// Ids and times come from the journal alone, so every replay of the same records gives the same bytes.

import { unreachable } from '#base';
import type { ExchangeAttempt, ExchangeClose, ExchangeOpen } from '#journal';
import { readAnswer, type Answer } from './answer.ts';
import { inputMessages, outputMessages, readRequest, requestAttributes, usageAttributes } from './genai.ts';
import { observationAttributes, usageOf, type Told } from './langfuse-attributes.ts';
import { itemOf, type Item, type ShippableSpan, type SpanKey } from './item.ts';
import { attributesOf, Double, nanosOf, type AttributeValue, type OtlpSpan } from './otlp-json.ts';

/** An exchange with all its records: open, parts in order, close. Without a close it was interrupted. */
export interface FoldedExchange {
  readonly sequence: number;
  readonly open: ExchangeOpen;
  readonly request: Uint8Array;
  readonly answer: Uint8Array;
  readonly close: ExchangeClose | undefined;
}

type Outcome = ExchangeClose['outcome'];
type Attributes = Record<string, AttributeValue>;

const prefix = `{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"understudy-gateway"}}]},"scopeSpans":[{"scope":{"name":"understudy"},"spans":[`;
const suffix = ']}]}';

export function exchangeItem(exchange: FoldedExchange, options: { stamp?: string }): Item {
  const { open, close } = exchange;
  const root = rootSpan(exchange, options);
  const attempts = (close?.attempts ?? []).map((attempt) => attemptSpan(open, attempt));
  const keys = exchangeSpanKeys(open, close);
  const spans = [root, ...attempts].map((span, index): ShippableSpan => ({
    ...(keys[index] as SpanKey),
    json: JSON.stringify(span),
  }));
  return itemOf(exchange.sequence, open.startedAtMs, [{ prefix, suffix, spans }]);
}

/** The ids of an exchange's spans, root first, without rendering them. */
export function exchangeSpanKeys(open: ExchangeOpen, close: ExchangeClose | undefined): SpanKey[] {
  const key = (spanId: string, startedAtMs: number): SpanKey => ({
    traceId: open.traceId,
    spanId,
    startMs: Math.floor(startedAtMs),
  });
  return [
    key(open.spanId, open.startedAtMs),
    ...(close?.attempts ?? []).map((attempt) => key(attempt.spanId, attempt.startedAtMs)),
  ];
}

function rootSpan(exchange: FoldedExchange, options: { stamp?: string }): OtlpSpan {
  const { open, close } = exchange;
  const captured = open.capture === 'full';
  const request = captured ? readRequest(exchange.request) : readRequest(new Uint8Array());
  const answer = captured ? readAnswer(exchange.answer) : { messages: [] };
  const outcome = close?.outcome ?? 'interrupted';
  const level = levelOf(outcome);
  const message = statusMessage(outcome, close);
  const attributes = attributesOf({
    ...conventions({ open, close, request, answer }),
    ...observationAttributes({ open, close, request, answer }),
    ...sharedAttributes(open),
    'langfuse.observation.level': level,
    'langfuse.observation.status_message': message,
    'langfuse.trace.metadata.exchange': open.exchange,
    'langfuse.trace.metadata.stamp': options.stamp,
    'langfuse.observation.metadata.captured_bytes': captured ? exchange.answer.length : undefined,
    ...metadata(open, close, outcome),
  });
  return {
    traceId: open.traceId,
    spanId: open.spanId,
    ...(open.parentSpanId === undefined ? {} : { parentSpanId: open.parentSpanId }),
    name: `chat ${open.requestedModel}`,
    kind: 3,
    startTimeUnixNano: nanosOf(open.startedAtMs),
    endTimeUnixNano: nanosOf(Math.max(open.startedAtMs, close?.endedAtMs ?? open.startedAtMs)),
    attributes,
    ...(level === 'ERROR' ? { status: { code: 2, message: message ?? outcome } } : {}),
  };
}

function conventions({ open, close, request, answer }: Told): Attributes {
  const failed = close === undefined || close.outcome !== 'answered';
  const firstContentMs = close?.firstContentAtMs;
  return {
    'gen_ai.operation.name': 'chat',
    // The journal names the upstream, not its vendor; every upstream kind speaks the OpenAI interface.
    'gen_ai.provider.name': close?.rung === 'message' ? 'understudy' : 'openai',
    'gen_ai.request.model': open.requestedModel,
    'gen_ai.request.stream': open.stream,
    ...requestAttributes(request),
    'gen_ai.conversation.id': open.sessionId,
    'gen_ai.response.id': close?.responseId ?? answer.id,
    'gen_ai.response.model': close?.responseModel ?? answer.model,
    'gen_ai.response.finish_reasons': finishReasons(close, answer),
    'gen_ai.response.time_to_first_chunk':
      firstContentMs === undefined ? undefined : new Double((firstContentMs - open.startedAtMs) / 1_000),
    ...usageAttributes(usageOf(close, answer)),
    'gen_ai.tool.definitions': request.tools ? JSON.stringify(request.tools) : undefined,
    'gen_ai.input.messages': inputMessages(request),
    'gen_ai.output.messages': outputMessages(answer),
    'error.type': failed ? (close?.error ?? close?.outcome ?? 'interrupted') : undefined,
  };
}

/** Trace-level attributes; Langfuse 4 keeps them per observation, so every span carries them. */
function sharedAttributes(open: ExchangeOpen): Attributes {
  return {
    'langfuse.environment': open.environment,
    'langfuse.trace.name': open.route,
    'langfuse.trace.tags': [`route:${open.route}`, `site:${open.site}`],
    'user.id': open.userId,
    'session.id': open.sessionId,
  };
}

function metadata(open: ExchangeOpen, close: ExchangeClose | undefined, outcome: Outcome): Attributes {
  const decisions = (close?.attempts ?? []).map((attempt) => ({
    rung: attempt.rung,
    upstream: attempt.upstream,
    outcome: attempt.outcome,
    ...(attempt.status === undefined ? {} : { status: attempt.status }),
    ...(attempt.error === undefined ? {} : { error: attempt.error }),
  }));
  const values: Attributes = {
    exchange: open.exchange,
    outcome,
    site: open.site,
    epoch: open.epoch,
    behavior: open.behavior,
    mode: open.mode,
    route: open.route,
    tenant: open.tenant,
    client: open.client,
    capture: open.capture,
    requested_model: open.requestedModel,
    withheld_tools: open.withheldTools.length > 0 ? [...open.withheldTools] : undefined,
    headers: Object.keys(open.headers).length > 0 ? JSON.stringify(open.headers) : undefined,
    request_bytes: open.requestBytes,
    request_sha256: open.requestSha256,
    rung: close?.rung,
    upstream: close?.upstream,
    status: close?.status,
    error: close?.error,
    attempts: close ? close.attempts.length : undefined,
    decisions: decisions.length > 0 ? JSON.stringify(decisions) : undefined,
    answer_bytes: close?.answerBytes,
    answer_sha256: close?.answerSha256,
    system_fingerprint: close?.systemFingerprint,
  };
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`langfuse.observation.metadata.${key}`, value]),
  );
}

function attemptSpan(open: ExchangeOpen, attempt: ExchangeAttempt): OtlpSpan {
  const failed = attempt.outcome === 'failed';
  return {
    traceId: open.traceId,
    spanId: attempt.spanId,
    parentSpanId: open.spanId,
    name: `attempt ${attempt.rung} ${attempt.upstream}`,
    kind: 3,
    startTimeUnixNano: nanosOf(attempt.startedAtMs),
    endTimeUnixNano: nanosOf(Math.max(attempt.startedAtMs, attempt.endedAtMs)),
    attributes: attributesOf({
      'langfuse.observation.type': 'span',
      'langfuse.observation.level': failed ? 'WARNING' : attempt.outcome === 'skipped' ? 'DEBUG' : 'DEFAULT',
      'langfuse.observation.status_message': attempt.error,
      ...sharedAttributes(open),
      'http.response.status_code': attempt.status,
      'error.type': attempt.error,
      'langfuse.observation.metadata.exchange': open.exchange,
      'langfuse.observation.metadata.rung': attempt.rung,
      'langfuse.observation.metadata.upstream': attempt.upstream,
      'langfuse.observation.metadata.outcome': attempt.outcome,
      'langfuse.observation.metadata.status': attempt.status,
    }),
    ...(failed ? { status: { code: 2, message: attempt.error ?? 'failed' } } : {}),
  };
}

function levelOf(outcome: Outcome): 'DEFAULT' | 'WARNING' | 'ERROR' {
  switch (outcome) {
    case 'answered':
      return 'DEFAULT';
    case 'refused':
    case 'client_gone':
      return 'WARNING';
    case 'failed':
    case 'truncated':
    case 'interrupted':
      return 'ERROR';
    default:
      return unreachable(outcome);
  }
}

function statusMessage(outcome: Outcome, close: ExchangeClose | undefined): string | undefined {
  if (outcome === 'answered') return undefined;
  return close?.error === undefined ? outcome : `${outcome}: ${close.error}`;
}

function finishReasons(close: ExchangeClose | undefined, answer: Answer): string[] | undefined {
  const seen = close?.finishReasons ?? answer.messages.flatMap((message) => message.finishReason ?? []);
  return seen.length > 0 ? [...seen] : undefined;
}
