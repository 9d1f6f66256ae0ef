// Reads what a model answered from the bytes that passed the gateway: one JSON body, or a stream of server-sent events
// folded into one message per choice. Partial bytes give a partial message; bytes that are neither are kept as text.

import { isRecord, tryParseJson } from '#base';

export interface AnswerToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

export interface AnswerMessage {
  readonly index: number;
  readonly role: string;
  readonly text: string;
  readonly refusal: string;
  readonly toolCalls: readonly AnswerToolCall[];
  readonly finishReason: string | undefined;
}

export interface Answer {
  readonly messages: readonly AnswerMessage[];
  readonly id?: string;
  readonly model?: string;
  readonly systemFingerprint?: string;
  readonly usage?: Readonly<Record<string, unknown>>;
  /** The error object of an error envelope or of an error event in the stream. */
  readonly error?: unknown;
  /** Set when the bytes were neither JSON nor events. */
  readonly raw?: string;
}

interface Draft {
  role: string;
  text: string;
  refusal: string;
  toolCalls: Map<number, { id: string; name: string; arguments: string }>;
  finishReason: string | undefined;
}

export function readAnswer(bytes: Uint8Array): Answer {
  const text = new TextDecoder().decode(bytes);
  if (text.trim() === '') return { messages: [] };
  if (/^\s*[{[]/.test(text)) {
    const parsed = tryParseJson(text);
    if (!parsed.ok || !isRecord(parsed.value)) return { messages: [], raw: text };
    return fold([parsed.value]);
  }
  if (/^(data|event|id|retry)?:/m.test(text)) return fold(eventsOf(text));
  return { messages: [], raw: text };
}

/** The JSON payloads of the events, `[DONE]` and broken ones left out (a cut stream may end inside an event). */
function eventsOf(text: string): Record<string, unknown>[] {
  const payloads: Record<string, unknown>[] = [];
  for (const event of text.split(/\r\n\r\n|\n\n|\r\r/)) {
    // Only CR, LF and CRLF end a line (WHATWG HTML, server-sent events); U+2028 inside JSON must survive.
    const data = event
      .split(/\r\n|\n|\r/)
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(line.startsWith('data: ') ? 6 : 5))
      .join('\n');
    const parsed = data === '' || data === '[DONE]' ? undefined : tryParseJson(data);
    if (parsed?.ok && isRecord(parsed.value)) payloads.push(parsed.value);
  }
  return payloads;
}

function fold(payloads: readonly Record<string, unknown>[]): Answer {
  const drafts = new Map<number, Draft>();
  const whole: Record<string, unknown> = {};
  for (const payload of payloads) {
    for (const key of ['id', 'model', 'system_fingerprint'] as const) {
      if (typeof payload[key] === 'string' && payload[key] !== '') whole[key] ??= payload[key];
    }
    if (isRecord(payload['usage'])) whole['usage'] = payload['usage'];
    if (payload['error'] !== undefined && payload['error'] !== null) whole['error'] ??= payload['error'];
    if (!Array.isArray(payload['choices'])) continue;
    for (const choice of payload['choices'] as unknown[]) if (isRecord(choice)) foldChoice(drafts, choice);
  }
  return {
    messages: [...drafts.entries()].sort(([a], [b]) => a - b).map(([index, draft]) => messageOf(index, draft)),
    ...(typeof whole['id'] === 'string' ? { id: whole['id'] } : {}),
    ...(typeof whole['model'] === 'string' ? { model: whole['model'] } : {}),
    ...(typeof whole['system_fingerprint'] === 'string' ? { systemFingerprint: whole['system_fingerprint'] } : {}),
    ...(isRecord(whole['usage']) ? { usage: whole['usage'] } : {}),
    ...(whole['error'] === undefined ? {} : { error: whole['error'] }),
  };
}

function foldChoice(drafts: Map<number, Draft>, choice: Record<string, unknown>): void {
  const index = typeof choice['index'] === 'number' ? choice['index'] : 0;
  const draft = drafts.get(index) ?? {
    role: 'assistant',
    text: '',
    refusal: '',
    toolCalls: new Map(),
    finishReason: undefined,
  };
  drafts.set(index, draft);
  if (typeof choice['finish_reason'] === 'string') draft.finishReason = choice['finish_reason'];
  const delta = isRecord(choice['delta']) ? choice['delta'] : isRecord(choice['message']) ? choice['message'] : {};
  if (typeof delta['role'] === 'string') draft.role = delta['role'];
  if (typeof delta['content'] === 'string') draft.text += delta['content'];
  if (typeof delta['refusal'] === 'string') draft.refusal += delta['refusal'];
  if (!Array.isArray(delta['tool_calls'])) return;
  for (const [position, call] of (delta['tool_calls'] as unknown[]).entries()) {
    if (isRecord(call)) foldToolCall(draft, call, position);
  }
}

function foldToolCall(draft: Draft, call: Record<string, unknown>, position: number): void {
  const index = typeof call['index'] === 'number' ? call['index'] : position;
  const known = draft.toolCalls.get(index) ?? { id: '', name: '', arguments: '' };
  draft.toolCalls.set(index, known);
  if (typeof call['id'] === 'string') known.id = call['id'];
  const called = isRecord(call['function']) ? call['function'] : {};
  if (typeof called['name'] === 'string') known.name += called['name'];
  if (typeof called['arguments'] === 'string') known.arguments += called['arguments'];
}

function messageOf(index: number, draft: Draft): AnswerMessage {
  const toolCalls = [...draft.toolCalls.entries()].sort(([a], [b]) => a - b).map(([, call]) => call);
  return {
    index,
    role: draft.role,
    text: draft.text,
    refusal: draft.refusal,
    toolCalls,
    finishReason: draft.finishReason,
  };
}
