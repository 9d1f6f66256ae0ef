// No-write mode: takes from a chat completion request every tool that could change something, so that a model cannot ask
// for what the region has no right to do. What cannot be understood is withheld too.

import { isRecord } from '#base';
import type { Route } from '#stamp';

/** A parsed chat completion request; only tool-related members are looked at. */
export type ChatRequest = Readonly<Record<string, unknown>>;

/** In the terms of the OpenAI error envelope; the status is 400. */
export interface Refusal {
  readonly message: string;
  readonly param: string;
  readonly code: 'tool_withheld' | 'invalid_type';
}

export interface Withheld {
  /** The same object as given when nothing was taken out. */
  readonly body: ChatRequest;
  /** Names of the tools taken out, in the order of the request, each once. */
  readonly withheld: readonly string[];
  /** Present when the request cannot be honoured without a withheld tool; `body` must then not be sent. */
  readonly refusal?: Refusal;
}

type Tools = Route['tools'];
type Body = Record<string, unknown>;

/**
 * Withholds tools with effect `write` and tools the route does not know, in `tools` and in the older `functions`. When
 * none is left, the members that only make sense beside tools go as well, because OpenAI refuses an empty list and a
 * choice without tools. Source: OpenAI API reference, "Create chat completion".
 *
 * A caller in no-write mode sends `body` serialised anew, never the client's bytes: a text in which a key stands twice
 * could mean other tools to the upstream than to us.
 */
export function withholdTools(requestBody: ChatRequest, tools: Tools, noWrite: boolean): Withheld {
  if (!noWrite) return { body: requestBody, withheld: [] };
  const allowed = new Set(tools.filter((tool) => tool.effect === 'read').map((tool) => tool.name));
  // A name declared with both effects is one that may write.
  for (const tool of tools) if (tool.effect === 'write') allowed.delete(tool.name);
  const withheld = new Set<string>();
  const body: Body = { ...requestBody };
  for (const list of [modern, legacy]) {
    const refusal = withholdFrom(body, list, { allowed, withheld });
    if (refusal) return { body: requestBody, withheld: [...withheld], refusal };
  }
  return withheld.size === 0 ? { body: requestBody, withheld: [] } : { body, withheld: [...withheld] };
}

/** Where one generation of the interface keeps its tools. */
interface ToolMembers {
  readonly list: 'tools' | 'functions';
  readonly choice: 'tool_choice' | 'function_call';
  /** Refused by OpenAI beside no tools. */
  readonly dependent: readonly string[];
  nameOf(entry: unknown): string | undefined;
}

const modern: ToolMembers = {
  list: 'tools',
  choice: 'tool_choice',
  dependent: ['tools', 'tool_choice', 'parallel_tool_calls'],
  nameOf(entry) {
    if (!isRecord(entry)) return undefined;
    // `{type: 'function', function: {name}}`, `{type: 'custom', custom: {name}}`; any other type has no name we know.
    const { type = 'function' } = entry;
    const holder = type === 'custom' || type === 'function' ? entry[type] : undefined;
    return isRecord(holder) && typeof holder['name'] === 'string' ? holder['name'] : undefined;
  },
};

const legacy: ToolMembers = {
  list: 'functions',
  choice: 'function_call',
  dependent: ['functions', 'function_call'],
  nameOf: (entry) => (isRecord(entry) && typeof entry['name'] === 'string' ? entry['name'] : undefined),
};

interface Judgement {
  readonly allowed: ReadonlySet<string>;
  /** Filled along the way. */
  readonly withheld: Set<string>;
}

/** Takes the tools out of `body` in place; returns why that cannot be done, or nothing. */
function withholdFrom(body: Body, members: ToolMembers, { allowed, withheld }: Judgement): Refusal | undefined {
  const entries = body[members.list];
  if (entries === undefined || entries === null) return undefined;
  if (!Array.isArray(entries)) {
    return { message: `'${members.list}' must be a list.`, param: members.list, code: 'invalid_type' };
  }
  const isAllowed = (entry: unknown): boolean => allowed.has(members.nameOf(entry) ?? '');
  const kept = entries.filter(isAllowed);
  if (kept.length === entries.length) return undefined;
  for (const entry of entries) if (!isAllowed(entry)) withheld.add(members.nameOf(entry) ?? 'unnamed');
  body[members.list] = kept;
  const refusal = settleChoice(body, members, { kept, isAllowed });
  if (refusal === undefined && kept.length === 0) for (const key of members.dependent) delete body[key];
  return refusal;
}

interface Kept {
  readonly kept: readonly unknown[];
  readonly isAllowed: (entry: unknown) => boolean;
}

/** Brings the choice in line with the tools that are left. */
function settleChoice(body: Body, members: ToolMembers, { kept, isAllowed }: Kept): Refusal | undefined {
  const choice = body[members.choice];
  if (choice === 'required' && kept.length === 0) return refuse(members.choice, 'a tool call is required');
  if (!isRecord(choice)) return undefined;
  if (choice['type'] === 'allowed_tools') return settleAllowedTools(body, choice, isAllowed);
  const name = members.nameOf(choice);
  return isAllowed(choice) ? undefined : refuse(members.choice, `'${name ?? 'unnamed'}' is required`);
}

/** `{type: 'allowed_tools', allowed_tools: {mode, tools}}`: the model may use only these of the tools sent. */
function settleAllowedTools(
  body: Body,
  choice: Readonly<Record<string, unknown>>,
  isAllowed: Kept['isAllowed'],
): Refusal | undefined {
  const subset = isRecord(choice['allowed_tools']) ? choice['allowed_tools'] : {};
  const left = Array.isArray(subset['tools']) ? subset['tools'].filter(isAllowed) : [];
  if (left.length > 0) {
    body['tool_choice'] = { ...choice, allowed_tools: { ...subset, tools: left } };
    return undefined;
  }
  if (subset['mode'] === 'required') return refuse('tool_choice', 'one of the withheld tools is required');
  // None of the tools it was allowed is left, and it must not turn to the others.
  body['tool_choice'] = 'none';
  return undefined;
}

function refuse(param: string, why: string): Refusal {
  const message = `This deployment is in no-write mode, where tools that can change something are withheld; ${why}.`;
  return { message, param, code: 'tool_withheld' };
}
