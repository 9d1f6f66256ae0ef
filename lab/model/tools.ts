// Tools of a chat request: their definitions, and what the request says about choosing among them.

import { isRecord } from '#base';
import { emptyArray, invalid, invalidType, invalidValue, missingParameter, onlyWithTools } from './errors.ts';

export interface Tool {
  readonly name: string;
  /** JSON Schema of the arguments; absent: none. */
  readonly parameters: unknown;
}

export type ToolChoice =
  | { readonly kind: 'none-allowed' }
  | { readonly kind: 'none' }
  | { readonly kind: 'auto' }
  | { readonly kind: 'required' }
  | { readonly kind: 'named'; readonly name: string };

const toolsMax = 128;
const nameMax = 64;

export function checkTools(body: Record<string, unknown>): { tools: Tool[]; toolChoice: ToolChoice } {
  const raw = body['tools'];
  if (raw === undefined || raw === null) {
    if (body['tool_choice'] !== undefined && body['tool_choice'] !== null) throw onlyWithTools('tool_choice');
    return { tools: [], toolChoice: { kind: 'none-allowed' } };
  }
  if (!Array.isArray(raw)) throw invalidType('tools', 'an array of objects', raw);
  if (raw.length === 0) throw emptyArray('tools');
  if (raw.length > toolsMax) {
    throw invalid(
      `Invalid 'tools': array too long. Expected an array with maximum length ${toolsMax}, but got an array with length ${raw.length} instead.`,
      { param: 'tools', code: 'array_above_max_length' },
    );
  }
  const tools = raw.map(checkTool);
  return { tools, toolChoice: checkChoice(body['tool_choice'], tools) };
}

function checkTool(raw: unknown, index: number): Tool {
  const at = `tools[${index}]`;
  if (!isRecord(raw)) throw invalidType(at, 'an object', raw);
  if (raw['type'] === undefined) throw missingParameter(`${at}.type`);
  if (raw['type'] !== 'function') throw invalidValue(`${at}.type`, raw['type'], ['function', 'custom']);
  if (!isRecord(raw['function'])) throw missingParameter(`${at}.function`);
  const { name, parameters } = raw['function'];
  if (name === undefined) throw missingParameter(`${at}.function.name`);
  if (typeof name !== 'string' || !/^[a-zA-Z0-9_-]+$/.test(name)) {
    throw invalid(
      `Invalid '${at}.function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`,
      { param: `${at}.function.name`, code: 'invalid_value' },
    );
  }
  if (name.length > nameMax) {
    throw invalid(
      `Invalid '${at}.function.name': string too long. Expected a string with maximum length ${nameMax}, but got a string with length ${name.length} instead.`,
      { param: `${at}.function.name`, code: 'string_above_max_length' },
    );
  }
  return { name, parameters };
}

function checkChoice(choice: unknown, tools: readonly Tool[]): ToolChoice {
  if (choice === undefined || choice === null) return { kind: 'auto' };
  if (typeof choice === 'string') {
    if (choice === 'none' || choice === 'auto' || choice === 'required') return { kind: choice };
    throw invalidValue('tool_choice', choice, ['none', 'auto', 'required']);
  }
  if (!isRecord(choice)) throw invalidType('tool_choice', 'one of a string or object', choice);
  const name = isRecord(choice['function']) ? choice['function']['name'] : undefined;
  if (typeof name !== 'string') throw missingParameter('tool_choice.function.name');
  if (!tools.some((tool) => tool.name === name)) {
    throw invalid(
      `Invalid value for 'tool_choice': no function named '${name}' was specified in the 'tools' parameter.`,
      {
        param: 'tool_choice',
      },
    );
  }
  return { kind: 'named', name };
}
