import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, isRecord, tryParseJson } from './json.ts';

test('RFC 8785 §3.2.2: literals, strings and numbers of the sample', () => {
  const sample = {
    numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
    literals: [null, true, false],
  };
  assert.equal(
    canonicalJson(sample),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('RFC 8785 §3.2.3: keys are ordered by UTF-16 code units, not by code points', () => {
  const sample = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  };
  const values = [...canonicalJson(sample).matchAll(/:"([^"]+)"/g)].map((match) => match[1]);
  assert.deepEqual(values, [
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
});

// RFC 8785, appendix B: the IEEE 754 bits and their canonical text.
const numbers: readonly (readonly [bits: string, text: string])[] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

test('RFC 8785 appendix B: numbers', () => {
  for (const [bits, text] of numbers) {
    assert.equal(canonicalJson(Buffer.from(bits, 'hex').readDoubleBE()), text, bits);
  }
  assert.throws(() => canonicalJson(Number.NaN), TypeError);
  assert.throws(() => canonicalJson([Number.POSITIVE_INFINITY]), TypeError);
});

test('members without a value are left out, items without one are null, and what JSON cannot say is refused', () => {
  assert.equal(canonicalJson({ b: undefined, a: [undefined, 1] }), '{"a":[null,1]}');
  assert.equal(canonicalJson({}), '{}');
  assert.throws(() => canonicalJson(undefined), /undefined/);
  assert.throws(() => canonicalJson({ a: 1n }), /bigint/);
  assert.throws(() => canonicalJson(() => 1), /function/);
});

test('equal values in another order give equal text at every depth', () => {
  const one = canonicalJson({ a: { y: [1, { q: 1, p: 2 }], x: 2 }, b: 3 });
  assert.equal(one, canonicalJson({ b: 3, a: { x: 2, y: [1, { p: 2, q: 1 }] } }));
  assert.equal(one, canonicalJson(JSON.parse(one)));
});

test('parsing tells instead of throwing', () => {
  assert.deepEqual(tryParseJson('{"a":1}'), { ok: true, value: { a: 1 } });
  assert.equal(tryParseJson('{"a":').ok, false);
  assert.deepEqual(
    [{}, [], null, 'x', 1, undefined].map((value) => isRecord(value)),
    [true, false, false, false, false, false],
  );
});
