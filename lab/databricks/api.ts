// What the groups of operations share: how an operation sees its call, and how it reads parameters strictly.

import { isRecord, type Clock } from '#base';
import type { VendorCall } from '../kit/mod.ts';
import { invalid, malformed } from './errors.ts';
import { integerText, parseExact } from './json.ts';
import type { Runs } from './runs.ts';
import type { Settings, Store } from './store.ts';

export interface Workspace {
  readonly store: Store;
  readonly runs: Runs;
  readonly clock: Clock;
}

export interface ApiCall extends Workspace {
  readonly principal: string;
  readonly query: URLSearchParams;
  /** The request body; `{}` for GET. */
  readonly body: Settings;
  readonly effect: VendorCall['effect'];
}

/** Answers with the response body; throws ApiError. */
export type Operation = (call: ApiCall) => unknown;
export type Operations = Readonly<Record<string, Operation>>;

export function parsedBody(text: string): Settings {
  if (text === '') return {};
  let value: unknown;
  try {
    value = parseExact(text);
  } catch {
    throw malformed('Could not parse request object: not valid JSON');
  }
  if (!isRecord(value)) throw malformed('Could not parse request object: Expected a JSON object');
  return value;
}

export function requiredText(body: Settings, name: string): string {
  const value = body[name];
  if (typeof value !== 'string' || value === '') throw invalid(`Missing required field: ${name}`);
  return value;
}

export function requiredId(body: Settings, name: string): string {
  const id = integerText(body[name]);
  if (id === undefined) throw invalid(`Missing required field: ${name}`);
  return id;
}

export function requiredQuery(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null || value === '') throw invalid(`Missing required field: ${name}`);
  return value;
}

export function queryId(query: URLSearchParams, name: string): string {
  const value = requiredQuery(query, name);
  if (!/^\d{1,19}$/.test(value)) throw malformed(`Could not parse ${name}: ${value}`);
  return value;
}

/** An integer parameter between 1 and `max`; anything else is refused as the service does. */
export function limitOf(query: URLSearchParams, options: { fallback: number; max: number }): number {
  const text = query.get('limit');
  if (text === null) return options.fallback;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > options.max) {
    throw invalid(`Invalid limit ${text}: must be between 1 and ${options.max}`);
  }
  return limit;
}

/** One page of a list and the token of the next. Tokens are opaque to clients and say nothing in the clear. */
export function pageOf<T>(
  items: readonly T[],
  options: { token: string | null; limit: number },
): { items: T[]; next?: string } {
  const offset = options.token === null || options.token === '' ? 0 : offsetOf(options.token);
  const end = offset + options.limit;
  const page = items.slice(offset, end);
  return end < items.length ? { items: page, next: Buffer.from(`page/${end}`).toString('base64url') } : { items: page };
}

function offsetOf(token: string): number {
  const match = /^page\/(\d+)$/.exec(Buffer.from(token, 'base64url').toString('utf8'));
  if (!match) throw invalid('Invalid page_token');
  return Number(match[1]);
}
