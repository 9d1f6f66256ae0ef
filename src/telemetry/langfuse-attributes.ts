// The attributes Langfuse maps to its own fields (OtelIngestionProcessor of langfuse 4.16). They repeat what the GenAI
// conventions say, because Langfuse does not map all of those.

import type { ExchangeClose, ExchangeOpen } from '#journal';
import type { Answer } from './answer.ts';
import { readUsage, type ChatRequest, type Usage } from './genai.ts';
import type { AttributeValue } from './otlp-json.ts';

export interface Told {
  readonly open: ExchangeOpen;
  readonly close: ExchangeClose | undefined;
  readonly request: ChatRequest;
  readonly answer: Answer;
}

/** Type, content, model, usage and first token of the observation. */
export function observationAttributes({ open, close, request, answer }: Told): Record<string, AttributeValue> {
  const usage = usageDetails(usageOf(close, answer));
  const firstContentMs = close?.firstContentAtMs;
  return {
    'langfuse.observation.type': 'generation',
    'langfuse.observation.input': inputText(request),
    'langfuse.observation.output': outputText(answer),
    'langfuse.observation.model.name': close?.responseModel ?? answer.model ?? open.requestedModel,
    'langfuse.observation.model.parameters':
      Object.keys(request.parameters).length > 0 ? JSON.stringify(request.parameters) : undefined,
    'langfuse.observation.usage_details': Object.keys(usage).length > 0 ? JSON.stringify(usage) : undefined,
    'langfuse.observation.completion_start_time':
      firstContentMs === undefined ? undefined : new Date(firstContentMs).toISOString(),
  };
}

export function usageOf(close: ExchangeClose | undefined, answer: Answer): Usage {
  return readUsage(answer.usage ?? close?.usage);
}

/** Langfuse adds the parts up, so cached and reasoning tokens are taken out of input and output. */
function usageDetails(usage: Usage): Record<string, number> {
  const details: Record<string, number> = {};
  if (usage.input !== undefined) details['input'] = Math.max(0, usage.input - (usage.cacheRead ?? 0));
  if (usage.output !== undefined) details['output'] = Math.max(0, usage.output - (usage.reasoning ?? 0));
  if (usage.cacheRead) details['input_cached_tokens'] = usage.cacheRead;
  if (usage.reasoning) details['output_reasoning_tokens'] = usage.reasoning;
  if (usage.total !== undefined) details['total'] = usage.total;
  return details;
}

function inputText(request: ChatRequest): string | undefined {
  if (!request.messages) return request.raw;
  return JSON.stringify(request.tools ? { messages: request.messages, tools: request.tools } : request.messages);
}

function outputText(answer: Answer): string | undefined {
  if (answer.raw !== undefined) return answer.raw;
  const messages = answer.messages.map((message) => ({
    role: message.role,
    content: message.text === '' && (message.toolCalls.length > 0 || message.refusal !== '') ? null : message.text,
    ...(message.refusal === '' ? {} : { refusal: message.refusal }),
    ...(message.toolCalls.length === 0
      ? {}
      : {
          tool_calls: message.toolCalls.map(({ id, name, arguments: given }) => ({
            id,
            type: 'function',
            function: { name, arguments: given },
          })),
        }),
  }));
  if (answer.error !== undefined)
    return JSON.stringify(messages.length > 0 ? [...messages, { error: answer.error }] : { error: answer.error });
  if (messages.length === 0) return undefined;
  return JSON.stringify(messages.length === 1 ? messages[0] : messages);
}
