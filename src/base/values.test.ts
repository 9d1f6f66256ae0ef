// The small values of base: duration, epoch, verdict, errors, ids, digests.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from './clock.ts';
import { equalInConstantTime, hmacSha256, sha256 } from './digest.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { compareEpochs, formatEpoch, parseEpoch } from './epoch.ts';
import { codeOf, describeError, Failure } from './errors.ts';
import { newId, randomHex } from './ids.ts';
import { seededRandomness } from './randomness.ts';
import { worstVerdict } from './verdict.ts';

test('durations are read as people write them, and nothing else is one', () => {
  const right = { '200ms': 200, '3s': 3_000, '15m': 900_000, '1h30m': 5_400_000, '2d': 172_800_000, '1.5s': 1_500 };
  for (const [text, ms] of Object.entries(right)) assert.equal(parseDuration(text), ms, text);
  for (const text of ['', '3', 's', '3 s', '-3s', '3S', '1h 30m', '1.s', '3s!', '1e3s', ' 3s']) {
    assert.equal(parseDuration(text), undefined, JSON.stringify(text));
  }
});

test('durations are shown in the two largest units', () => {
  const shown: readonly (readonly [number, string])[] = [
    [850, '850ms'],
    [4_200, '4.2s'],
    [190_000, '3m 10s'],
    [7_500_000, '2h 5m'],
    [180_000_000, '2d 2h'],
    [Number.POSITIVE_INFINITY, 'unknown'],
    [Number.NaN, 'unknown'],
  ];
  for (const [ms, text] of shown) assert.equal(formatDuration(ms), text);
});

test('epochs are ordered by generation, then by number, as numbers', () => {
  const texts = ['1.2', '1.10', '2.1', '10.1'];
  const epochs = texts.map((text) => parseEpoch(text) ?? assert.fail(text));
  for (const [index, epoch] of epochs.entries()) {
    assert.equal(formatEpoch(epoch), texts[index]);
    assert.equal(compareEpochs(epoch, { ...epoch }), 0);
    for (const later of epochs.slice(index + 1)) {
      assert.ok(compareEpochs(epoch, later) < 0 && compareEpochs(later, epoch) > 0);
    }
  }
  for (const text of ['', '1', '1.', '.1', 'a.1', '1.2.3', '-1.2', '1.2 ', '1234567890.1']) {
    assert.equal(parseEpoch(text), undefined, JSON.stringify(text));
  }
});

test('the worst verdict counts, and no evidence is never a pass', () => {
  assert.equal(worstVerdict([]), 'inconclusive');
  assert.equal(worstVerdict(['pass', 'pass']), 'pass');
  assert.equal(worstVerdict(['pass', 'inconclusive']), 'inconclusive');
  assert.equal(worstVerdict(['inconclusive', 'error', 'pass']), 'error');
  assert.equal(worstVerdict(['error', 'fail', 'inconclusive']), 'fail');
});

test('errors are known by code, and told in one line without repeating themselves', () => {
  assert.equal(codeOf(new Failure('RUN_UNKNOWN', 'x')), 'RUN_UNKNOWN');
  assert.equal(codeOf(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })), 'ECONNREFUSED');
  assert.equal(codeOf(AbortSignal.abort().reason), 'ABORTED', 'not the number a DOMException carries');
  assert.equal(codeOf('text'), 'UNEXPECTED');
  const cause = new Error('connect refused');
  const told = describeError(new Error('no answer', { cause: new Error('connect refused by x', { cause }) }));
  assert.equal(told, 'no answer: connect refused by x');
  assert.equal(describeError({ a: 1 }), '{"a":1}');
  const round: Error = new Error('round');
  round.cause = round;
  assert.equal(describeError(round), 'round');
});

test('ids sort by time of creation and fit in file names', () => {
  const clock = new ManualClock();
  const randomness = seededRandomness(1);
  const early = newId('run', { clock, randomness });
  assert.match(early, /^run_[0-9a-hjkmnp-tv-z]{18}$/);
  const later = new ManualClock(clock.wallMs() + 1);
  assert.ok(early < newId('run', { clock: later, randomness }));
  assert.notEqual(early, newId('run', { clock, randomness }));
  const zero = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0 };
  assert.equal(randomHex(4, zero), '00000001');
});

test('one seed gives one sequence', () => {
  const draw = (seed: number): number[] => [...seededRandomness(seed).bytes(16)];
  assert.deepEqual(draw(5), draw(5));
  assert.notDeepEqual(draw(5), draw(6));
});

test('digests are lower-case hex of the published test vectors', () => {
  assert.equal(sha256('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  // RFC 4231, test case 2.
  assert.equal(
    hmacSha256(Buffer.from('Jefe'), 'what do ya want for nothing?'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  assert.ok(equalInConstantTime('a', 'a') && !equalInConstantTime('a', 'b') && !equalInConstantTime('a', ''));
});
