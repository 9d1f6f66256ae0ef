// What the declared shape objects to, in words that say what to write instead. A misspelt key is one mistake: the missing
// key it was meant to be is not reported as well.

import type { z } from 'zod';
import { isRecord } from '#base';
import { meant, nearest } from './nearest.ts';
import type { Mistake, Path } from './problem.ts';
import { knownKeys, valueAt } from './schema-tree.ts';

type Issue = z.core.$ZodIssue;

/** Every mistake of shape in `value`, in the order the schema found them. */
export function shapeMistakes(schema: z.ZodType, value: unknown): Mistake[] {
  const issues = schema.safeParse(value).error?.issues ?? [];
  const unknown = issues.flatMap((issue) => unknownKeys(schema, value, issue));
  const intended = new Set(unknown.map((key) => placeOf(key.path, key.intended)));
  const others = issues.flatMap((issue): Mistake[] => {
    if (isUnknownKey(issue)) return [];
    const path = pathOf(issue);
    if (valueAt(value, path) !== undefined) return [wrongValue(issue, path, valueAt(value, path))];
    return intended.has(placeOf(path.slice(0, -1), String(path.at(-1)))) ? [] : [missingKey(path)];
  });
  return [...unknown.map((key) => unknownKey(key)), ...others];
}

// ---- unknown and missing keys ---------------------------------------------------------------------------------------

interface UnknownKey {
  readonly path: Path;
  readonly key: string;
  readonly known: readonly string[];
  /** The key it was probably meant to be. */
  readonly intended: string | undefined;
}

function isUnknownKey(issue: Issue): boolean {
  return issue.code === 'unrecognized_keys' || issue.code === 'invalid_key';
}

function unknownKeys(schema: z.ZodType, value: unknown, issue: Issue): UnknownKey[] {
  if (!isUnknownKey(issue)) return [];
  const full = pathOf(issue);
  // A record reports each wrong key by itself, with the key as the end of the path.
  const path = issue.code === 'invalid_key' ? full.slice(0, -1) : full;
  const keys = issue.code === 'unrecognized_keys' ? issue.keys : [String(full.at(-1))];
  const known = knownKeys(schema, value, path);
  const container = valueAt(value, path);
  const absent = known.filter((key) => !isRecord(container) || !Object.hasOwn(container, key));
  return keys.map((key) => ({ path, key, known, intended: nearest(key, absent) ?? nearest(key, known) }));
}

function unknownKey({ path, key, known, intended }: UnknownKey): Mistake {
  const suggestion = intended === undefined ? '' : `; did you mean \`${intended}\`?`;
  return {
    path,
    key,
    code: 'UNKNOWN_KEY',
    message: `unknown key \`${key}\`${suggestion}`,
    ...(intended === undefined && known.length > 0 ? { hint: `known here: ${known.join(', ')}` } : {}),
  };
}

function missingKey(path: Path): Mistake {
  return { path, code: 'MISSING_KEY', message: `missing key \`${String(path.at(-1))}\`` };
}

function placeOf(path: Path, key: string | undefined): string {
  return JSON.stringify([...path, key ?? null]);
}

// ---- wrong types and values -----------------------------------------------------------------------------------------

function wrongValue(issue: Issue, path: Path, found: unknown): Mistake {
  if (found === null) return { path, code: 'WRONG_TYPE', message: 'nothing is written here' };
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = wantedTypes[issue.expected];
      const message = wanted === undefined ? issue.message : `must be ${wanted}, not ${typeName(found)}`;
      return { path, code: 'WRONG_TYPE', message };
    }
    case 'invalid_value':
      return { path, code: 'WRONG_VALUE', message: oneOf(issue.values.map(String), found) };
    case 'invalid_union':
      return { path, code: 'WRONG_VALUE', message: oneOf(discriminatorOptions(issue), found) };
    case 'too_small':
      return { path, code: 'WRONG_VALUE', message: tooSmall(issue.origin, issue.minimum, issue.inclusive !== false) };
    case 'too_big':
      return { path, code: 'WRONG_VALUE', message: tooBig(issue.origin, issue.maximum) };
    case 'invalid_format':
    case 'custom':
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
    case 'unrecognized_keys':
      // Formats and refinements carry the message written in schema.ts, which never repeats the value.
      return { path, code: 'WRONG_VALUE', message: issue.message };
  }
}

/** The kinds a discriminated union knows; zod sends them along but does not type them. */
function discriminatorOptions(issue: Issue): string[] {
  return 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
}

const wantedTypes: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function typeName(found: unknown): string {
  if (Array.isArray(found)) return 'a list';
  if (isRecord(found)) return 'a mapping';
  if (typeof found === 'number') return Number.isInteger(found) ? 'a number' : 'a fraction';
  return typeof found === 'boolean' ? String(found) : 'text';
}

function oneOf(options: readonly string[], found: unknown): string {
  const listed = options.map((option) => `\`${option}\``).join(', ');
  const wanted = options.length === 1 ? `must be ${listed}` : `must be one of ${listed}`;
  return typeof found === 'string' ? `${wanted}${meant(found, options)}` : wanted;
}

function tooSmall(origin: string, minimum: number | bigint, inclusive: boolean): string {
  if (origin === 'array') return `must have at least ${minimum} ${minimum === 1 ? 'entry' : 'entries'}`;
  if (origin === 'string') return minimum === 1 ? 'must not be empty' : `must have at least ${minimum} characters`;
  return inclusive ? `must be at least ${minimum}` : `must be more than ${minimum}`;
}

function tooBig(origin: string, maximum: number | bigint): string {
  if (origin === 'string') return `must have at most ${maximum} characters`;
  return `must be at most ${maximum}`;
}

function pathOf(issue: Issue): Path {
  return issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
}
