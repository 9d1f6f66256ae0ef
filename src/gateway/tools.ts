// The request body as an upstream gets it: the client's bytes, with the model's name and withheld tools edited in place.

import { withholdTools, type Refusal } from '#behavior';
import type { Route } from '#stamp';
import { errors, type ApiError } from './errors.ts';
import { changeMembers } from './json-text.ts';
import type { ChatRequest } from './request.ts';

export interface ToolDecision {
  readonly withheld: readonly string[];
  /** Why the request cannot be served at all: it insists on a withheld tool. */
  readonly refusal?: ApiError;
  /** Top-level members that change, as JSON text; undefined removes one. */
  readonly changes: ReadonlyMap<string, string | undefined>;
}

const nothing: ToolDecision = { withheld: [], changes: new Map() };
const toolMembers = new Set(['tools', 'functions', 'tool_choice', 'function_call']);

/** What happens to the request's tools in this mode. */
export function decideTools(chat: ChatRequest, route: Route, noWrite: boolean): ToolDecision {
  const { value } = chat;
  const asked = Object.keys(value).filter((key) => toolMembers.has(key.toLowerCase()));
  if (!noWrite || asked.length === 0) return nothing;
  const decided = withholdTools(value, route.tools, noWrite);
  const changes = new Map<string, string | undefined>();
  for (const key of new Set([...Object.keys(value), ...Object.keys(decided.body)])) {
    const after = decided.body[key];
    if (after !== value[key]) changes.set(key, after === undefined ? undefined : JSON.stringify(after));
  }
  // Written anew even when nothing was taken out: where a key stands twice, an upstream may read the other one. Some
  // upstreams also read keys without regard to case; such a twin goes.
  for (const key of asked) {
    if (!toolMembers.has(key)) changes.set(key, undefined);
    else if (!changes.has(key)) changes.set(key, JSON.stringify(value[key]));
  }
  const { withheld, refusal } = decided;
  return { withheld, changes, ...(refusal ? { refusal: refusalError(refusal) } : {}) };
}

/** Whether passing the request on unchanged offers a tool that writes. */
export function offersWriteTools(chat: ChatRequest, route: Route): boolean {
  return decideTools(chat, route, true).withheld.length > 0;
}

/** The bytes to send. Untouched bytes stay the client's own. */
export function upstreamBody(chat: ChatRequest, model: string | undefined, tools: ToolDecision): Buffer {
  const changes = new Map(tools.changes);
  const sent = model ?? chat.model;
  if (sent !== chat.model || mayNameModelTwice(chat.text)) changes.set('model', JSON.stringify(sent));
  return changes.size === 0 ? chat.bytes : Buffer.from(changeMembers(chat.text, changes));
}

/** A second "model" would let the client choose what an upstream reads. An escape may spell one, too. */
function mayNameModelTwice(text: string): boolean {
  return text.indexOf('"model"') !== text.lastIndexOf('"model"') || text.includes('\\u00');
}

function refusalError(refusal: Refusal): ApiError {
  const { message, param, code } = refusal;
  return code === 'tool_withheld'
    ? errors.toolWithheld(message, { param })
    : errors.invalidParameter(message, { param });
}
