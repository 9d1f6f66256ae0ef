import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isMap, isScalar, parseDocument, visit } from 'yaml';
import { exampleStamp, exampleText, problemsOf } from './testing/example.ts';
import { salvage } from './schema-tree.ts';
import { stampSchema } from './schema.ts';

interface WrittenKey {
  readonly text: string;
  readonly offset: number;
}

function writtenKeys(): WrittenKey[] {
  const keys: WrittenKey[] = [];
  visit(parseDocument(exampleText), {
    Map(_, map) {
      assert.ok(isMap(map));
      for (const { key } of map.items) {
        if (isScalar(key) && key.range) keys.push({ text: String(key.value), offset: key.range[0] });
      }
    },
  });
  return keys;
}

test('any misspelt key is reported at its line and column', () => {
  const keys = writtenKeys();
  assert.ok(keys.length > 100);
  const place = fc
    .constantFrom(...keys)
    .chain((key) => fc.record({ key: fc.constant(key), at: fc.nat(key.text.length) }));
  fc.assert(
    fc.property(place, fc.constantFrom('q', 'Z', '_'), ({ key, at }, letter) => {
      const misspelt = `${key.text.slice(0, at)}${letter}${key.text.slice(at)}`;
      const text = `${exampleText.slice(0, key.offset)}${misspelt}${exampleText.slice(key.offset + key.text.length)}`;
      const lines = exampleText.slice(0, key.offset).split('\n');
      const found = problemsOf(text).find(
        (problem) => problem.line === lines.length && problem.column === (lines.at(-1) ?? '').length + 1,
      );
      // The discriminator itself is then missing, which is reported where it should stand.
      if (key.text === 'kind' || key.text === 'rung') return assert.ok(problemsOf(text).length > 0);
      assert.equal(found?.code, 'UNKNOWN_KEY', `${misspelt} at line ${lines.length}`);
      assert.match(found.message, new RegExp(`\`${misspelt}\``));
    }),
    { numRuns: 150 },
  );
});

test('any line left out or cut short gives problems or a stamp, never an exception', () => {
  const lines = exampleText.split('\n');
  fc.assert(
    fc.property(fc.nat(lines.length - 1), fc.nat(40), (index, length) => {
      const text = lines.with(index, (lines[index] ?? '').slice(0, length)).join('\n');
      for (const problem of problemsOf(text)) assert.ok(problem.message.length > 0 && problem.line >= 0);
    }),
    { numRuns: 100 },
  );
});

test('of a right stamp everything is salvaged', () => {
  const stamp = exampleStamp();
  assert.deepEqual(salvage(stampSchema, stamp), stamp);
});

test('of anything something or nothing is salvaged', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => void salvage(stampSchema, value)));
});
