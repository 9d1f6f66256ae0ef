import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryDelayMs, waitHintMs } from './mod.ts';

const wallMs = Date.UTC(2026, 0, 1, 12, 0, 0);

const rows: [string, Record<string, string>, number | undefined][] = [
  ['retry-after-ms comes first', { 'retry-after-ms': '120', 'x-ms-retry-after-ms': '5', 'retry-after': '9' }, 120],
  ['then the one of Azure', { 'x-ms-retry-after-ms': '250', 'retry-after': '9' }, 250],
  ['then retry-after in seconds', { 'retry-after': '2', 'x-ratelimit-reset-requests': '1ms' }, 2_000],
  ['seconds may have a fraction', { 'retry-after': '0.5' }, 500],
  ['an HTTP date', { 'retry-after': 'Thu, 01 Jan 2026 12:00:07 GMT' }, 7_000],
  ['a date that has passed means now', { 'retry-after': 'Thu, 01 Jan 2026 11:00:00 GMT' }, 0],
  ['the smaller of the two resets', { 'x-ratelimit-reset-requests': '6m0s', 'x-ratelimit-reset-tokens': '120ms' }, 120],
  ['a reset in seconds', { 'x-ratelimit-reset': '30' }, 30_000],
  ['a reset as an epoch', { 'x-ratelimit-reset': String(wallMs / 1_000 + 20) }, 20_000],
  ['a reset as an epoch in milliseconds', { 'x-ratelimit-reset': String(wallMs + 300) }, 300],
  ['an unusable header gives way to the next', { 'retry-after-ms': 'soon', 'retry-after': '3' }, 3_000],
  ['a negative wait is none', { 'retry-after': '-1' }, undefined],
  ['an empty header is none', { 'retry-after-ms': '' }, undefined],
  ['nothing', {}, undefined],
];

for (const [name, headers, expected] of rows) {
  test(`wait headers: ${name}`, () => assert.equal(waitHintMs(headers, wallMs), expected));
}

const delay = { retry: 0, hintMs: undefined, waitMaxMs: 2_000, remainingMs: 10_000, fraction: 0.5 };

test('without a hint the backoff has full jitter, doubles, and is capped', () => {
  assert.equal(retryDelayMs({ ...delay, fraction: 0 }), 0);
  assert.equal(retryDelayMs(delay), 50);
  assert.equal(retryDelayMs({ ...delay, retry: 2 }), 200);
  assert.equal(retryDelayMs({ ...delay, retry: 20 }), 1_000);
});

test('a hint is never cut short; one above the bound or the deadline climbs', () => {
  assert.equal(retryDelayMs({ ...delay, hintMs: 1_000, fraction: 0 }), 1_000);
  assert.ok((retryDelayMs({ ...delay, hintMs: 1_000 }) ?? 0) >= 1_000);
  assert.equal(retryDelayMs({ ...delay, hintMs: 2_001 }), undefined);
  assert.equal(retryDelayMs({ ...delay, hintMs: 1_000, remainingMs: 900 }), undefined);
  assert.equal(retryDelayMs({ ...delay, remainingMs: 0 }), undefined);
});
