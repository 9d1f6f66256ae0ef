// What the endpoint accepts: the request of POST /v1/chat/completions, checked as OpenAI checks it, first mistake first.

import { isRecord, tryParseJson } from '#base';
import {
  contextTooLong,
  emptyArray,
  invalid,
  invalidType,
  invalidValue,
  missingParameter,
  modelNotFound,
  onlyWithTools,
  unknownParameter,
  unparsableBody,
} from './errors.ts';
import { checkMessages, promptTokens, type Message } from './messages.ts';
import { checkTools, type Tool, type ToolChoice } from './tools.ts';

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly promptTokens: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly choices: number;
  readonly tokensMax: number | undefined;
  readonly stop: readonly string[];
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice;
  readonly format: 'text' | 'json_object' | 'json_schema';
  readonly schema: unknown;
}

/** Parameters of the chat completions endpoint, from the official client's own types (openai 7.57). */
const parameters = new Set(
  'messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options'.split(
    ' ',
  ),
);

/** Reads a request body; throws a Refusal with OpenAI's status, type, code and param. */
export function readChatRequest(
  bytes: Buffer,
  limits: { models: readonly string[]; contextTokensMax: number },
): ChatRequest {
  const parsed = tryParseJson(bytes.toString('utf8'));
  if (!parsed.ok || !isRecord(parsed.value)) throw unparsableBody();
  const body = parsed.value;
  if (body['model'] === undefined) throw invalid('you must provide a model parameter');
  if (typeof body['model'] !== 'string') throw invalidType('model', 'a string', body['model']);
  for (const key of Object.keys(body)) if (!parameters.has(key)) throw unknownParameter(key);
  if (body['messages'] === undefined) throw missingParameter('messages');
  if (!Array.isArray(body['messages'])) throw invalidType('messages', 'an array of objects', body['messages']);
  if (body['messages'].length === 0) throw emptyArray('messages');
  const messages = checkMessages(body['messages']);
  checkNumbers(body);
  const stream = flag(body, 'stream');
  const { tools, toolChoice } = checkTools(body);
  if (toolChoice.kind === 'none-allowed' && body['parallel_tool_calls'] !== undefined)
    throw onlyWithTools('parallel_tool_calls');
  const format = checkFormat(body['response_format'], messages);
  if (!limits.models.includes(body['model'])) throw modelNotFound(body['model']);
  const tokens = promptTokens(messages);
  if (tokens > limits.contextTokensMax) throw contextTooLong(limits.contextTokensMax, tokens);
  return {
    model: body['model'],
    messages,
    promptTokens: tokens,
    stream,
    includeUsage: checkStreamOptions(body['stream_options'], stream),
    choices: (body['n'] as number | null | undefined) ?? 1,
    tokensMax: (body['max_completion_tokens'] ?? body['max_tokens'] ?? undefined) as number | undefined,
    stop: checkStop(body['stop']),
    tools,
    toolChoice,
    ...format,
  };
}

function flag(body: Record<string, unknown>, key: string): boolean {
  const value = body[key];
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw invalidType(key, 'a boolean', value);
  return value;
}

interface Range {
  readonly kind: 'integer' | 'decimal';
  readonly min: number;
  readonly max: number;
}

const ranges: Record<string, Range> = {
  n: { kind: 'integer', min: 1, max: 128 },
  max_tokens: { kind: 'integer', min: 1, max: Number.MAX_SAFE_INTEGER },
  max_completion_tokens: { kind: 'integer', min: 1, max: Number.MAX_SAFE_INTEGER },
  temperature: { kind: 'decimal', min: 0, max: 2 },
  top_p: { kind: 'decimal', min: 0, max: 1 },
  frequency_penalty: { kind: 'decimal', min: -2, max: 2 },
  presence_penalty: { kind: 'decimal', min: -2, max: 2 },
};

function checkNumbers(body: Record<string, unknown>): void {
  for (const [key, range] of Object.entries(ranges)) {
    const value = body[key];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'number' || (range.kind === 'integer' && !Number.isInteger(value))) {
      throw invalidType(key, range.kind === 'integer' ? 'an integer' : 'a decimal', value);
    }
    if (value < range.min) throw outside(key, range, { value, side: 'below' });
    if (value > range.max) throw outside(key, range, { value, side: 'above' });
  }
}

function outside(key: string, range: Range, seen: { value: number; side: 'below' | 'above' }): Error {
  const below = seen.side === 'below';
  return invalid(
    `Invalid '${key}': ${range.kind} ${seen.side} ${below ? 'minimum' : 'maximum'} value. Expected a value ${below ? '>=' : '<='} ${below ? range.min : range.max}, but got ${seen.value} instead.`,
    { param: key, code: `${range.kind}_${seen.side}_${below ? 'min' : 'max'}_value` },
  );
}

function checkStreamOptions(options: unknown, stream: boolean): boolean {
  if (options === undefined || options === null) return false;
  if (!isRecord(options)) throw invalidType('stream_options', 'an object', options);
  if (!stream) {
    throw invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", {
      param: 'stream_options',
    });
  }
  for (const key of Object.keys(options)) {
    if (key !== 'include_usage' && key !== 'include_obfuscation') throw unknownParameter(`stream_options.${key}`);
  }
  return options['include_usage'] === true;
}

function checkStop(stop: unknown): readonly string[] {
  if (stop === undefined || stop === null) return [];
  const list = typeof stop === 'string' ? [stop] : stop;
  if (!Array.isArray(list) || !list.every((item): item is string => typeof item === 'string')) {
    throw invalidType('stop', 'one of a string or array of strings', stop);
  }
  if (list.length > 4) {
    throw invalid(
      `Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length ${list.length} instead.`,
      { param: 'stop', code: 'array_above_max_length' },
    );
  }
  return list;
}

const formats = ['json_object', 'json_schema', 'text'] as const;

function checkFormat(format: unknown, messages: readonly Message[]): Pick<ChatRequest, 'format' | 'schema'> {
  if (format === undefined || format === null) return { format: 'text', schema: undefined };
  if (!isRecord(format)) throw invalidType('response_format', 'an object', format);
  const type = formats.find((known) => known === format['type']);
  if (type === undefined) throw invalidValue('response_format.type', format['type'], formats);
  if (type === 'json_object' && !messages.some((message) => /json/i.test(message.text))) {
    // github.com/ultimatejimmy/xray.koplugin/issues/33
    throw invalid(
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
      { param: 'messages' },
    );
  }
  if (type !== 'json_schema') return { format: type, schema: undefined };
  const wrapper = format['json_schema'];
  if (!isRecord(wrapper)) throw missingParameter('response_format.json_schema');
  if (typeof wrapper['name'] !== 'string') throw missingParameter('response_format.json_schema.name');
  return { format: type, schema: wrapper['schema'] };
}
