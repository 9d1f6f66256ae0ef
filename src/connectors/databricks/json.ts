// JSON with exact 64-bit integers: job and run ids are larger than a double can hold, and an id rounded by one names
// another job or none.

import { Failure, isRecord } from '#base';

/** A JSON object as the vendor sent it; integers a double cannot hold are bigint. */
export type Members = Readonly<Record<string, unknown>>;

/** Parts of ECMAScript "JSON.parse source text access" that the type library does not declare yet. */
const sourceAccess = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
};

/** Throws SyntaxError when the text is not JSON. */
export function parseExact(text: string): unknown {
  return sourceAccess.parse(text, (_key, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context.source ?? '')
      ? BigInt(context.source ?? '')
      : value,
  );
}

/** JSON text in which a bigint is a plain integer. */
export function formatExact(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? sourceAccess.rawJSON(member.toString()) : member,
  );
}

/** An id as decimal text. Throws `DATABRICKS_WRONG_REPLY` when it is no integer. */
export function idOf(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  throw wrongReply('an id is not an integer');
}

export function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw wrongReply(`${what} is not a text`);
}

export function numberOf(value: unknown, what: string): number {
  if (typeof value === 'number') return value;
  throw wrongReply(`${what} is not a number`);
}

/** A list that the vendor leaves out when it is empty. */
export function listOf(value: unknown, what: string): Members[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isRecord)) return value;
  throw wrongReply(`${what} is not a list of objects`);
}

export function membersOf(value: unknown, what: string): Members {
  if (isRecord(value)) return value;
  throw wrongReply(`${what} is not an object`);
}

export function wrongReply(detail: string, cause?: unknown): Failure {
  return new Failure('DATABRICKS_WRONG_REPLY', `Databricks gave an answer that makes no sense: ${detail}`, {
    next: 'ask_operator',
    hint: 'check that the url of the stamp names a Databricks workspace and no proxy stands in between',
    cause,
  });
}
