import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JournalRecord } from '#journal';
import { ExchangeFold } from './fold.ts';
import { closeOf, openOf } from './testing/exchanges.ts';

const open = openOf('a');
let sequence = 0;
const record = (kind: JournalRecord['kind'], meta: object, body = ''): JournalRecord => ({
  sequence: ++sequence,
  kind,
  meta: { ...meta },
  body: Buffer.from(body),
});
const part = (offset: number, text: string): JournalRecord => record('part', { exchange: open.exchange, offset }, text);

test('parts count once, in order of their offset, whatever the order and repetition', () => {
  const fold = new ExchangeFold({ bytesMax: 1_000 });
  fold.push(record('open', open, '{}'), 0);
  for (const one of [part(3, 'def'), part(0, 'abc'), part(3, 'def'), part(5, 'fgh'), part(1, 'b')]) fold.push(one, 0);
  const output = fold.push(record('close', closeOf(open)), 0);
  assert.equal(output?.kind === 'exchange' && Buffer.from(output.exchange.answer).toString(), 'abcdefgh');
  assert.deepEqual([fold.size, fold.bytes], [0, 0]);
});

test('parts and ends of exchanges it does not know give nothing', () => {
  const fold = new ExchangeFold({ bytesMax: 1_000 });
  assert.equal(fold.push(part(0, 'abc'), 0), undefined);
  assert.equal(fold.push(record('close', closeOf(open)), 0), undefined);
  assert.equal(fold.bytes, 0);
});

test('a record without what its kind must have is refused by name', () => {
  const fold = new ExchangeFold({ bytesMax: 1_000 });
  const { traceId: _left, ...rest } = open;
  assert.throws(() => fold.push(record('open', rest), 0), { code: 'RECORD_UNREADABLE', message: /traceId/ });
});
