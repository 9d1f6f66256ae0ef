import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { changeMembers, whereJsonBreaks } from './json-text.ts';

test('other bytes stay as they are: large numbers, spaces, order, escapes', () => {
  const text = '{ "seed": 12345678901234567890, "a":"\\"}{", "model" : "old" ,"z":[1,{"model":"inner"}]}';
  assert.equal(
    changeMembers(text, new Map([['model', '"new"']])),
    '{"seed": 12345678901234567890,"a":"\\"}{","model" : "new","z":[1,{"model":"inner"}]}',
  );
});

test('a member that stands twice, or is spelt with escapes, is written once', () => {
  const text = '{"model":"a","mod\\u0065l":"b","x":1}';
  assert.equal(changeMembers(text, new Map([['model', '"c"']])), '{"model":"c","x":1}');
});

test('members are removed and added', () => {
  assert.equal(changeMembers('{"a":1,"b":[2]}', new Map([['a', undefined]])), '{"b":[2]}');
  assert.equal(changeMembers('{}', new Map([['a', '1']])), '{"a":1}');
});

test('changing a member equals changing the parsed object', () => {
  // No key that is a single backslash: V8 13.6 confuses it with a following key that is a quote (JSON.parse itself).
  const key = fc.constantFrom('model', 'tools', 'a', '"', '\n', 'é');
  fc.assert(
    fc.property(fc.dictionary(key, fc.jsonValue()), fc.boolean(), fc.nat(3), (object, remove, indent) => {
      const text = JSON.stringify(object, null, indent);
      const { model: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
      const changed: unknown = JSON.parse(changeMembers(text, new Map([['model', remove ? undefined : '"new"']])));
      assert.deepEqual(changed, remove ? rest : { ...rest, model: 'new' });
    }),
  );
});

const broken: [string, number, number][] = [
  ['', 1, 1],
  ['{"a": nope}', 1, 7],
  ['{"a": 1,\n "b": }', 2, 7],
  ['{"a": 1,}', 1, 9],
  ['{"a" 1}', 1, 6],
  ['[1, 2', 1, 6],
  ['{"a": "x\n"}', 1, 9],
  ['{"a": "\\x"}', 1, 8],
  ['{"a": 01}', 1, 7],
  ['{} {}', 1, 4],
  ["{'a': 1}", 1, 2],
];

for (const [text, line, column] of broken) {
  test(`${JSON.stringify(text)} breaks at ${line}:${column}`, () => {
    assert.throws(() => JSON.parse(text));
    assert.deepEqual(whereJsonBreaks(text), { line, column });
  });
}

test('deep nesting is walked without recursion', () => {
  assert.deepEqual(whereJsonBreaks('['.repeat(500_000)), { line: 1, column: 500_001 });
});

test('valid JSON breaks nowhere before its end', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.equal(whereJsonBreaks(text).column, text.length - text.lastIndexOf('\n'));
    }),
  );
});
