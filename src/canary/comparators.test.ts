// What each comparison takes for equal, and what it does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareAnswers } from './comparators.ts';

type Case = [compare: 'exact' | 'normalised' | 'json', recorded: string, answered: string, why: RegExp | true];

const cases: Case[] = [
  ['exact', 'Lyon', 'Lyon', true],
  ['exact', 'Lyon', 'Lyon ', /character 5: recorded its end, answered " "/],
  ['exact', 'é', 'e\u0301', /character 1/],
  ['normalised', 'Caf\u00e9 au lait', '  cafe\u0301\n AU  lait', true],
  ['normalised', 'Straße', 'STRASSE', true],
  ['normalised', 'a b', 'ab', /once normalised/],
  ['json', '{"a":1,"b":[1,2]}', '{ "b": [1, 2], "a": 1.0 }', true],
  ['json', '{"a":[1,2]}', '{"a":[2,1]}', /as canonical JSON/],
  ['json', '{"a":1}', '{"a":"1"}', /as canonical JSON/],
  ['json', '{"a":1}', 'a is 1', /it is not JSON/],
  ['json', 'a is 1', '{"a":1}', /record the baseline again/],
  ['json', '{"a":1}', '```json\n{"a":1}\n```', /it is fenced/],
  ['json', '```json\n{"a":1}\n```', '{"a":1}', /recorded one is fenced/],
  ['json', '```json\n{"a":1}\n```', '```\n{ "a": 1 }```', true],
];

for (const [compare, recorded, answered, why] of cases) {
  test(`${compare}: ${JSON.stringify(recorded)} and ${JSON.stringify(answered)}`, () => {
    const comparison = compareAnswers(compare, { recorded, answered });
    if (why === true) assert.deepEqual(comparison, { equal: true });
    else assert.match(comparison.equal ? 'equal' : comparison.why, why);
  });
}
