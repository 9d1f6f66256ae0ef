// Values found in a prompt, and JSON filled with them: for JSON answers and for the arguments of tool calls.

import { isRecord, sha256, tryParseJson } from '#base';

/** `order=4711, city: "Lyon"` gives `{"order":4711,"city":"Lyon"}`, in the order they appear. */
export function pairsIn(prompt: string): Record<string, unknown> {
  const pairs: Record<string, unknown> = {};
  const found = prompt.matchAll(
    /([\p{L}_][\p{L}\p{N}_]*)\s*(?:=|:(?!\s*[\p{L}_][\p{L}\p{N}_]*\s*[=:])(?=\s*["\d\p{L}-]))\s*("[^"]*"|[^\s,;]+)/gu,
  );
  for (const [, key, value] of found) if (key !== undefined && value !== undefined) pairs[key] = valueOf(value);
  return pairs;
}

function valueOf(written: string): unknown {
  const text = written.replace(/[.?!]+$/, '');
  const parsed = tryParseJson(text);
  return parsed.ok ? parsed.value : text;
}

const depthMax = 6;

/** An instance of a JSON Schema: values named in the prompt where they fit, else values derived from the property's name. */
export function fillSchema(schema: unknown, prompt: string): unknown {
  return fill(schema, { name: 'value', pairs: pairsIn(prompt), depth: 0 });
}

interface Place {
  readonly name: string;
  readonly pairs: Record<string, unknown>;
  readonly depth: number;
}

function fill(schema: unknown, place: Place): unknown {
  if (!isRecord(schema) || place.depth > depthMax) return null;
  if (schema['const'] !== undefined) return schema['const'];
  const given = place.pairs[place.name];
  if (Array.isArray(schema['enum'])) return schema['enum'].includes(given) ? given : (schema['enum'][0] as unknown);
  if (Array.isArray(schema['anyOf'])) return fill(schema['anyOf'][0], place);
  const seed = Number.parseInt(sha256(place.name).slice(0, 6), 16);
  switch (Array.isArray(schema['type']) ? schema['type'][0] : schema['type']) {
    case 'string':
      return given === undefined ? `${place.name}-${seed % 1_000}` : textOf(given);
    case 'integer':
      return Number.isInteger(given) ? given : seed % 100;
    case 'number':
      return typeof given === 'number' ? given : (seed % 1_000) / 10;
    case 'boolean':
      return typeof given === 'boolean' ? given : seed % 2 === 0;
    case 'array':
      return [fill(schema['items'], { ...place, depth: place.depth + 1 })];
    case 'null':
      return null;
    default:
      return fillObject(schema, place);
  }
}

function textOf(given: unknown): string {
  return typeof given === 'string' ? given : JSON.stringify(given);
}

function fillObject(schema: Record<string, unknown>, place: Place): Record<string, unknown> {
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  return Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [
      name,
      fill(property, { name, pairs: place.pairs, depth: place.depth + 1 }),
    ]),
  );
}
