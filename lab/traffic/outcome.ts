// Sends one request through the official client and says what became of it, as a client sees it.

import { APIConnectionError, APIError, type OpenAI } from 'openai';
import { codeOf, isRecord } from '#base';
import type { PlannedRequest } from './requests.ts';
import type { Origin, Outcome, Speaker } from './rows.ts';

export interface SendOptions {
  readonly client: OpenAI;
  readonly model: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly signal: AbortSignal;
}

export interface Sent {
  readonly outcome: Outcome;
  readonly answeredTraceId: string | undefined;
}

/** What had arrived when the request ended. */
interface Progress {
  headers: Headers | undefined;
  /** At least one piece of content, of text or of a tool call. */
  content: boolean;
  finishReason: string | undefined;
  tool: string | undefined;
}

export async function send(planned: PlannedRequest, options: SendOptions): Promise<Sent> {
  const progress: Progress = { headers: undefined, content: false, finishReason: undefined, tool: undefined };
  let outcome: Outcome;
  try {
    outcome = await (planned.stream ? sendStreamed(planned, options, progress) : sendWhole(planned, options, progress));
  } catch (error) {
    outcome =
      options.signal.aborted && !isTimeout(options.signal)
        ? { kind: 'abandoned' }
        : failed(error, progress, options.signal);
  }
  return { outcome, answeredTraceId: progress.headers?.get('x-understudy-trace') ?? undefined };
}

/** Each request carries a trace of its own, so that the client's count and the stored traces can be laid side by side. */
function requestOptions(options: SendOptions): OpenAI.RequestOptions {
  return { signal: options.signal, headers: { traceparent: `00-${options.traceId}-${options.spanId}-01` } };
}

async function sendWhole(planned: PlannedRequest, options: SendOptions, progress: Progress): Promise<Outcome> {
  const pending = options.client.chat.completions.create(
    { ...planned.body, model: options.model },
    requestOptions(options),
  );
  progress.headers = (await pending.asResponse()).headers;
  const reply: unknown = await pending;
  const choice: unknown = isRecord(reply) && Array.isArray(reply['choices']) ? reply['choices'][0] : undefined;
  if (!isRecord(choice) || typeof choice['finish_reason'] !== 'string') return noCompletion(reply, progress.headers);
  const message = choice['message'];
  const tool = isRecord(message) ? toolOf(message['tool_calls']) : undefined;
  return answered(progress.headers, choice['finish_reason'], tool);
}

/** Status 200 without a completion: an envelope in a 200 is still an envelope, anything else is not. */
function noCompletion(reply: unknown, headers: Headers): Outcome {
  const error = isRecord(reply) && isRecord(reply['error']) ? reply['error'] : undefined;
  const speaker = speakerOf(headers);
  const origin = originOf(headers);
  if (typeof error?.['message'] !== 'string')
    return { kind: 'error-without-envelope', status: 200, origin, ...speaker };
  const code = typeof error['code'] === 'string' ? error['code'] : 'none';
  return { kind: 'error-with-envelope', status: 200, code, midStream: false, origin, ...speaker };
}

async function sendStreamed(planned: PlannedRequest, options: SendOptions, progress: Progress): Promise<Outcome> {
  const { data: stream, response } = await options.client.chat.completions
    .create({ ...planned.body, model: options.model, stream: true }, requestOptions(options))
    .withResponse();
  progress.headers = response.headers;
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    if (choice === undefined) continue;
    if (choice.delta.content || choice.delta.tool_calls) progress.content = true;
    progress.tool = toolOf(choice.delta.tool_calls) ?? progress.tool;
    progress.finishReason = choice.finish_reason ?? progress.finishReason;
  }
  // The client ends silently when its signal aborts, and when a stream closes cleanly without `[DONE]`.
  if (progress.finishReason !== undefined) return answered(response.headers, progress.finishReason, progress.tool);
  options.signal.throwIfAborted();
  return cut('ended without a finish reason', progress);
}

function answered(headers: Headers, finishReason: string, tool: string | undefined): Outcome {
  return { kind: 'answered', finishReason, ...(tool === undefined ? {} : { tool }), ...speakerOf(headers) };
}

function failed(error: unknown, progress: Progress, signal: AbortSignal): Outcome {
  if (isTimeout(signal)) return cut('no end within the deadline of the client', progress);
  if (error instanceof APIConnectionError) return cut(causeOf(error), progress);
  if (error instanceof APIError) return refused(error, progress);
  const headers = progress.headers;
  if (error instanceof SyntaxError && headers) {
    // JSON that does not parse: an event of a stream, or a body. A body that was cut never gets this far: reading it throws.
    return { kind: 'error-without-envelope', status: 200, origin: originOf(headers), ...speakerOf(headers) };
  }
  return cut(causeOf(error), progress);
}

function refused(error: APIError, progress: Progress): Outcome {
  const headers = error.headers ?? progress.headers ?? new Headers();
  const body: unknown = error.error;
  const speaker = speakerOf(headers);
  const origin = originOf(headers);
  const status = error.status ?? 200;
  if (!isRecord(body) || typeof body['message'] !== 'string' || !('type' in body)) {
    return { kind: 'error-without-envelope', status, origin, ...speaker };
  }
  const code = typeof body['code'] === 'string' ? body['code'] : 'none';
  return { kind: 'error-with-envelope', status, code, midStream: progress.content, origin, ...speaker };
}

function cut(cause: string, progress: Progress): Outcome {
  const speaker = progress.headers ? speakerOf(progress.headers) : {};
  if (progress.content) return { kind: 'cut-mid-stream', cause, ...speaker };
  return { kind: 'cut-before-answer', cause, begun: progress.headers !== undefined, ...speaker };
}

function speakerOf(headers: Headers): Speaker {
  const found = (['site', 'rung', 'upstream', 'mode'] as const).map(
    (name) => [name, headers.get(`x-understudy-${name}`)] as const,
  );
  return Object.fromEntries(found.filter(([, value]) => value !== null));
}

/** A gateway names its site, or at least the trace; Azure Front Door marks every answer with x-azure-ref, its own pages are HTML. */
function originOf(headers: Headers): Origin {
  if (headers.has('x-understudy-site') || headers.has('x-understudy-trace')) return 'gateway';
  const html = (headers.get('content-type') ?? '').includes('html');
  return headers.has('x-azure-ref') || html ? 'front-door' : 'unknown';
}

function toolOf(calls: unknown): string | undefined {
  const first: unknown = Array.isArray(calls) ? calls[0] : undefined;
  const named = isRecord(first) && isRecord(first['function']) ? first['function']['name'] : undefined;
  return typeof named === 'string' ? named : undefined;
}

function isTimeout(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
}

/** The code of the innermost cause: few distinct values, whatever the addresses and ports in the messages. */
function causeOf(thrown: unknown): string {
  let current = thrown;
  for (let depth = 0; depth < 5 && current instanceof Error && current.cause instanceof Error; depth++)
    current = current.cause;
  const code = codeOf(current);
  return code === 'UNEXPECTED' && current instanceof Error ? current.message : code;
}
