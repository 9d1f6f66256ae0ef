// JSON with exact 64-bit integers. The simulator keeps its own copy of this so that it judges a client's arithmetic instead
// of sharing it.

/** Parts of ECMAScript "JSON.parse source text access" that the type library does not declare yet. */
const sourceAccess = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
};

/** Integers that a double cannot hold become bigint; everything else is as `JSON.parse` gives it. */
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

/** The decimal text of an integer, or undefined when the value is not one. */
export function integerText(value: unknown): string | undefined {
  if (typeof value === 'bigint') return value.toString();
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined;
}
