// Messages of a chat request: their roles, their content, and the order tool answers must keep.

import { isRecord } from '#base';
import { emptyArray, invalid, invalidType, invalidValue, missingParameter } from './errors.ts';

export interface Message {
  readonly role: Role;
  /** All text of the content, parts joined. */
  readonly text: string;
  readonly toolCallIds: readonly string[];
}

const roles = ['system', 'assistant', 'user', 'function', 'tool', 'developer'] as const;
type Role = (typeof roles)[number];
const partTypes = ['text', 'image_url', 'input_audio', 'refusal', 'file'] as const;

export function checkMessages(raw: readonly unknown[]): Message[] {
  const messages = raw.map(checkMessage);
  checkToolOrder(raw, messages);
  return messages;
}

function checkMessage(raw: unknown, index: number): Message {
  const at = `messages[${index}]`;
  if (!isRecord(raw)) throw invalidType(at, 'an object', raw);
  if (raw['role'] === undefined) throw missingParameter(`${at}.role`);
  const role = roles.find((known) => known === raw['role']);
  if (role === undefined) throw invalidValue(`${at}.role`, raw['role'], roles);
  const toolCallIds = role === 'assistant' ? readToolCalls(raw['tool_calls'], `${at}.tool_calls`) : [];
  const mayBeEmpty = role === 'assistant' && (toolCallIds.length > 0 || raw['refusal'] !== undefined);
  if (raw['content'] === undefined && !mayBeEmpty) throw missingParameter(`${at}.content`);
  if (role === 'tool' && typeof raw['tool_call_id'] !== 'string') throw missingParameter(`${at}.tool_call_id`);
  return { role, text: readContent(raw['content'], { at: `${at}.content`, mayBeEmpty }), toolCallIds };
}

function readToolCalls(calls: unknown, at: string): string[] {
  if (calls === undefined || calls === null) return [];
  if (!Array.isArray(calls)) throw invalidType(at, 'an array of objects', calls);
  if (calls.length === 0) throw emptyArray(at);
  return calls.map((call: unknown, index) => {
    if (!isRecord(call) || typeof call['id'] !== 'string') throw missingParameter(`${at}[${index}].id`);
    return call['id'];
  });
}

function readContent(content: unknown, where: { at: string; mayBeEmpty: boolean }): string {
  if (typeof content === 'string') return content;
  if (where.mayBeEmpty && (content === undefined || content === null)) return '';
  if (!Array.isArray(content)) {
    if (content !== null) throw invalidType(where.at, 'one of a string or array of objects', content);
    throw invalid(`Invalid value for 'content': expected a string, got null.`, { param: where.at });
  }
  if (content.length === 0) throw emptyArray(where.at);
  return content
    .map((part: unknown, index) => {
      if (!isRecord(part)) throw invalidType(`${where.at}[${index}]`, 'an object', part);
      if (part['type'] === undefined) throw missingParameter(`${where.at}[${index}].type`);
      if (!partTypes.some((known) => known === part['type'])) {
        throw invalidValue(`${where.at}[${index}].type`, part['type'], partTypes);
      }
      if (part['type'] !== 'text') return '';
      if (typeof part['text'] !== 'string') throw missingParameter(`${where.at}[${index}].text`);
      return part['text'];
    })
    .join('\n');
}

/** Each tool message answers a call of the assistant message before it, and each call is answered
 * (github.com/run-llama/llama_index/issues/10493). */
function checkToolOrder(raw: readonly unknown[], messages: readonly Message[]): void {
  let open = new Set<string>();
  let openedAt = 0;
  messages.forEach((message, index) => {
    if (message.role === 'tool') {
      if (!open.delete((raw[index] as { tool_call_id: string }).tool_call_id)) {
        throw invalid(
          "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          { param: `messages.[${index}].role` },
        );
      }
      return;
    }
    refuseUnanswered(open, index);
    open = new Set(message.toolCallIds);
    openedAt = index;
  });
  refuseUnanswered(open, openedAt);
}

function refuseUnanswered(open: ReadonlySet<string>, index: number): void {
  if (open.size === 0) return;
  throw invalid(
    `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${[...open].join(', ')}`,
    { param: `messages.[${index}].role` },
  );
}

/** A plausible count: four characters a token, and four tokens of framing a message. */
export function promptTokens(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + Math.ceil(message.text.length / 4) + 4, 3);
}
