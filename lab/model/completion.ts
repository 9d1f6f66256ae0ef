// From an answer to what goes over the wire: tokens, finish reason, usage, and the objects of a reply or a stream.

import { sha256 } from '#base';
import { answerTo, familyOf, type Answer, type Manner } from './answers.ts';
import type { ChatRequest } from './request.ts';

export interface Completion {
  readonly id: string;
  readonly createdS: number;
  readonly model: string;
  readonly systemFingerprint: string;
  readonly choices: readonly Choice[];
  readonly usage: Usage;
}

export interface Choice {
  readonly answer: Answer;
  /** The text (or the arguments of the tool call) in pieces, as a stream sends them. */
  readonly tokens: readonly string[];
  readonly toolCallId: string;
  readonly finishReason: 'stop' | 'length' | 'tool_calls';
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export interface CompletionOptions {
  /** Unique per call. */
  readonly id: string;
  readonly manner: Manner;
  readonly wallMs: number;
}

export function complete(request: ChatRequest, options: CompletionOptions): Completion {
  const choices = Array.from({ length: request.choices }, (_, index) => choose(request, options, index));
  const completionTokens = choices.reduce((sum, choice) => sum + choice.tokens.length, 0);
  return {
    id: `chatcmpl-${options.id}`,
    createdS: Math.floor(options.wallMs / 1_000),
    model: request.model,
    systemFingerprint: `fp_${sha256(familyOf(request.model)).slice(0, 10)}`,
    choices,
    usage: {
      prompt_tokens: request.promptTokens,
      completion_tokens: completionTokens,
      total_tokens: request.promptTokens + completionTokens,
    },
  };
}

function choose(request: ChatRequest, options: CompletionOptions, index: number): Choice {
  const answer = answerTo(request, { manner: options.manner, choice: index });
  const toolCallId = `call_${sha256(`${options.id} ${index}`).slice(0, 24)}`;
  if (answer.kind === 'tool-call') {
    return { answer, toolCallId, tokens: tokensOf(answer.arguments), finishReason: 'tool_calls' };
  }
  const whole = tokensOf(beforeStop(answer.text, request.stop));
  const tokens = request.tokensMax === undefined ? whole : whole.slice(0, request.tokensMax);
  return {
    answer: { kind: 'text', text: tokens.join('') },
    toolCallId,
    tokens,
    finishReason: tokens.length < whole.length ? 'length' : 'stop',
  };
}

function beforeStop(text: string, stop: readonly string[]): string {
  const found = stop.map((sequence) => text.indexOf(sequence)).filter((position) => position >= 0);
  return found.length === 0 ? text : text.slice(0, Math.min(...found));
}

/** Words with the white space before them; long words in pieces of twelve. */
function tokensOf(text: string): string[] {
  return text.match(/\s*\S{1,12}|\s+/gu) ?? [];
}

/** The body of a reply that is not streamed. */
export function replyBody(completion: Completion): Record<string, unknown> {
  return {
    id: completion.id,
    object: 'chat.completion',
    created: completion.createdS,
    model: completion.model,
    choices: completion.choices.map((choice, index) => ({
      index,
      message: messageOf(choice),
      logprobs: null,
      finish_reason: choice.finishReason,
    })),
    usage: completion.usage,
    service_tier: 'default',
    system_fingerprint: completion.systemFingerprint,
  };
}

function messageOf(choice: Choice): Record<string, unknown> {
  const frame = { role: 'assistant', refusal: null, annotations: [] };
  if (choice.answer.kind === 'text') return { ...frame, content: choice.answer.text };
  const call = { name: choice.answer.name, arguments: choice.answer.arguments };
  return { ...frame, content: null, tool_calls: [{ id: choice.toolCallId, type: 'function', function: call }] };
}

/** The events of a stream before `[DONE]`, in order. */
export function* streamEvents(completion: Completion, includeUsage: boolean): Generator<Record<string, unknown>> {
  const frame = (choices: unknown[], usage: Usage | null = null): Record<string, unknown> => ({
    id: completion.id,
    object: 'chat.completion.chunk',
    created: completion.createdS,
    model: completion.model,
    service_tier: 'default',
    system_fingerprint: completion.systemFingerprint,
    choices,
    ...(includeUsage ? { usage } : {}),
  });
  const part = (index: number, delta: unknown, finish: string | null = null): Record<string, unknown> =>
    frame([{ index, delta, logprobs: null, finish_reason: finish }]);
  for (const [index, choice] of completion.choices.entries()) {
    yield part(index, firstDelta(choice));
    for (const token of choice.tokens) yield part(index, delta(choice, token));
    yield part(index, {}, choice.finishReason);
  }
  if (includeUsage) yield frame([], completion.usage);
}

function firstDelta(choice: Choice): Record<string, unknown> {
  if (choice.answer.kind === 'text') return { role: 'assistant', content: '', refusal: null };
  const call = { name: choice.answer.name, arguments: '' };
  return {
    role: 'assistant',
    content: null,
    tool_calls: [{ index: 0, id: choice.toolCallId, type: 'function', function: call }],
    refusal: null,
  };
}

function delta(choice: Choice, token: string): Record<string, unknown> {
  if (choice.answer.kind === 'text') return { content: token };
  return { tool_calls: [{ index: 0, function: { arguments: token } }] };
}
