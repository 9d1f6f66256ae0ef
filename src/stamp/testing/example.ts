// The example stamp as text, for tests that break one thing in it and look at what is reported.

import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { parseStamp } from '../load.ts';
import type { Problem } from '../problem.ts';
import type { Stamp } from '../schema.ts';

export const exampleFile = new URL('../../../examples/stamp.azure.yaml', import.meta.url);
export const exampleText = readFileSync(exampleFile, 'utf8');

/** The example with one text replaced, once. Fails when it is not there: a test must break what it means to break. */
export function broken(...replacements: readonly (readonly [from: string, to: string])[]): string {
  return replacements.reduce((text, [from, to]) => {
    assert.ok(text.includes(from), `the example has ${JSON.stringify(from)}`);
    return text.replace(from, () => to);
  }, exampleText);
}

/** 1 for the first line; fails when the text stands nowhere. */
export function lineOf(text: string, part: string): number {
  const offset = text.indexOf(part);
  assert.ok(offset >= 0, `the text has ${JSON.stringify(part)}`);
  return text.slice(0, offset).split('\n').length;
}

export function problemsOf(text: string): readonly Problem[] {
  const loaded = parseStamp(text, { file: 'stamp.yaml' });
  return loaded.ok ? [] : loaded.problems;
}

export function exampleStamp(): Stamp {
  const loaded = parseStamp(exampleText, { file: 'stamp.yaml' });
  assert.ok(loaded.ok, 'the example is a right stamp');
  return loaded.stamp;
}
