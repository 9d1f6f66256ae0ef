// Maps a chat request and its answer to the names of the OpenTelemetry GenAI conventions (repository
// semantic-conventions-genai, status Development). The Langfuse attributes that repeat them are in spans.ts.

import { isRecord, tryParseJson } from '#base';
import type { Answer, AnswerMessage } from './answer.ts';
import { Double, type AttributeValue } from './otlp-json.ts';

type Attributes = Record<string, AttributeValue>;

export interface ChatRequest {
  readonly messages: readonly unknown[] | undefined;
  readonly tools: readonly unknown[] | undefined;
  /** The members that steer the model, as sent: temperature, top_p, max_tokens … */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Set when the body was not a JSON object. */
  readonly raw?: string;
}

const notParameters = new Set(['model', 'messages', 'tools', 'stream', 'stream_options', 'user', 'metadata']);

export function readRequest(bytes: Uint8Array): ChatRequest {
  const text = new TextDecoder().decode(bytes);
  const parsed = tryParseJson(text);
  if (!parsed.ok || !isRecord(parsed.value)) {
    return { messages: undefined, tools: undefined, parameters: {}, ...(text === '' ? {} : { raw: text }) };
  }
  const body = parsed.value;
  return {
    messages: Array.isArray(body['messages']) ? (body['messages'] as unknown[]) : undefined,
    tools: Array.isArray(body['tools']) ? (body['tools'] as unknown[]) : undefined,
    parameters: Object.fromEntries(Object.entries(body).filter(([key]) => !notParameters.has(key))),
  };
}

/** `gen_ai.request.*`: what was asked of the model. */
export function requestAttributes(request: ChatRequest): Attributes {
  const given = request.parameters;
  return {
    'gen_ai.request.choice.count': whole(given['n']),
    'gen_ai.request.frequency_penalty': double(given['frequency_penalty']),
    'gen_ai.request.max_tokens': whole(given['max_completion_tokens'] ?? given['max_tokens']),
    'gen_ai.request.presence_penalty': double(given['presence_penalty']),
    'gen_ai.request.reasoning.level': text(given['reasoning_effort']),
    'gen_ai.request.seed': whole(given['seed']),
    'gen_ai.request.stop_sequences': texts(given['stop']),
    'gen_ai.request.temperature': double(given['temperature']),
    'gen_ai.request.top_p': double(given['top_p']),
    'gen_ai.output.type': outputType(given['response_format']),
  };
}

/** `gen_ai.input.messages`: roles and parts as the convention's JSON schema has them. */
export function inputMessages(request: ChatRequest): string | undefined {
  if (!request.messages) return undefined;
  return JSON.stringify(request.messages.filter(isRecord).map(inputMessage));
}

function inputMessage(message: Record<string, unknown>): unknown {
  const parts: unknown[] = [];
  const content = message['content'];
  if (message['role'] === 'tool') {
    parts.push({ type: 'tool_call_response', id: message['tool_call_id'] ?? null, response: content ?? null });
  } else if (typeof content === 'string') {
    parts.push({ type: 'text', content });
  } else if (Array.isArray(content)) {
    for (const part of content as unknown[]) {
      const plain = isRecord(part) && part['type'] === 'text' && typeof part['text'] === 'string';
      parts.push(plain ? { type: 'text', content: part['text'] } : part);
    }
  }
  if (Array.isArray(message['tool_calls'])) {
    for (const call of message['tool_calls'] as unknown[]) {
      if (!isRecord(call) || !isRecord(call['function'])) continue;
      const called = call['function'];
      parts.push({ type: 'tool_call', id: call['id'] ?? null, name: called['name'], arguments: called['arguments'] });
    }
  }
  return { role: message['role'], parts };
}

/** `gen_ai.output.messages`. A message without a finish reason was cut: the convention's word is `error`. */
export function outputMessages(answer: Answer): string | undefined {
  if (answer.messages.length === 0) return undefined;
  return JSON.stringify(
    answer.messages.map((message) => ({
      role: message.role,
      parts: [
        ...(message.text === '' ? [] : [{ type: 'text', content: message.text }]),
        ...(message.refusal === '' ? [] : [{ type: 'refusal', content: message.refusal }]),
        ...message.toolCalls.map((call) => ({ type: 'tool_call', ...call })),
      ],
      finish_reason: finishReason(message),
    })),
  );
}

function finishReason(message: AnswerMessage): string {
  if (message.finishReason === undefined) return 'error';
  return message.finishReason === 'tool_calls' ? 'tool_call' : message.finishReason;
}

export interface Usage {
  readonly input?: number;
  readonly output?: number;
  readonly total?: number;
  readonly cacheRead?: number;
  readonly reasoning?: number;
}

/** Token counts, from the provider's usage object (nested or flat, chat or responses names). */
export function readUsage(reported: Readonly<Record<string, unknown>> | undefined): Usage {
  if (!reported) return {};
  // As the provider nests it, or with dotted names as the gateway journals it.
  const detail = (holders: readonly string[], name: string): unknown =>
    holders
      .map((holder) => (isRecord(reported[holder]) ? reported[holder][name] : reported[`${holder}.${name}`]))
      .find((value) => value !== undefined);
  return present({
    input: whole(reported['prompt_tokens'] ?? reported['input_tokens']),
    output: whole(reported['completion_tokens'] ?? reported['output_tokens']),
    total: whole(reported['total_tokens']),
    cacheRead: whole(detail(['prompt_tokens_details', 'input_tokens_details'], 'cached_tokens')),
    reasoning: whole(detail(['completion_tokens_details', 'output_tokens_details'], 'reasoning_tokens')),
  });
}

export function usageAttributes(usage: Usage): Attributes {
  return {
    'gen_ai.usage.input_tokens': usage.input,
    'gen_ai.usage.output_tokens': usage.output,
    'gen_ai.usage.cache_read.input_tokens': usage.cacheRead,
    'gen_ai.usage.reasoning.output_tokens': usage.reasoning,
  };
}

function present(usage: Record<keyof Usage, number | undefined>): Usage {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== undefined));
}

function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

function double(value: unknown): Double | undefined {
  return typeof value === 'number' ? new Double(value) : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function texts(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
}

function outputType(format: unknown): string | undefined {
  if (!isRecord(format)) return undefined;
  return format['type'] === 'json_object' || format['type'] === 'json_schema' ? 'json' : text(format['type']);
}
