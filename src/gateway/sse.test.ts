import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { EventStream } from './event-stream.ts';
import { EventSplitter, readEvent } from './sse.ts';
import { chunkEvent, doneEvent, finishEvent } from './testing/scripted-upstream.ts';

/** Cuts bytes at the given places (taken modulo the length). */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...cuts, bytes.length].map((end, index) => bytes.subarray(cuts[index - 1] ?? 0, end));
}

function split(chunks: readonly Buffer[]): { events: Buffer[]; rest: Buffer } {
  const splitter = new EventSplitter();
  const events: Buffer[] = [];
  for (const chunk of chunks) assert.ok(splitter.push(chunk, (bytes) => events.push(bytes)));
  return { events, rest: splitter.rest() };
}

const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
const places = fc.array(fc.nat(5_000), { maxLength: 40 });

test('events are the same at every split, and no byte is lost or moved', () => {
  const field = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replace(/[\r\n]/g, '\u2028é🜂'));
  const event = fc.tuple(fc.array(field, { minLength: 1, maxLength: 3 }), lineEnd);
  const stream = fc.array(event, { maxLength: 8 });
  fc.assert(
    fc.property(stream, places, (parts, cuts) => {
      const text = parts.map(([lines, end]) => lines.map((line) => `data: ${line}${end}`).join('') + end).join('');
      const bytes = Buffer.from(text);
      const { events, rest } = split(cutAt(bytes, cuts));
      assert.deepEqual(Buffer.concat([...events, rest]), bytes);
      assert.deepEqual(
        events.map((found) => readEvent(found).data),
        parts.map(([lines]) => Buffer.from(lines.join('\n')).toString('utf8')),
      );
    }),
  );
});

test('any bytes at all pass through the splitter unharmed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), places, (bytes, cuts) => {
      const { events, rest } = split(cutAt(Buffer.from(bytes), cuts));
      assert.deepEqual(Buffer.concat([...events, rest]), Buffer.from(bytes));
    }),
  );
});

test('a forwarded stream is the upstream byte for byte, whatever the split', async () => {
  const words = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(words, places, async (contents, cuts) => {
      const content = contents.map((word) => chunkEvent({ content: `${word}\u2028` }));
      const bytes = Buffer.from([': hello\r\n\r\n', ...content, finishEvent, doneEvent].join('').slice(11));
      const forwarded = await forward(cutAt(bytes, cuts));
      assert.deepEqual(forwarded, { bytes, outcome: 'complete' });
    }),
  );
});

/** Plays chunks through an EventStream, with a sink that comes only after the first content. */
async function forward(chunks: readonly Buffer[]): Promise<{ bytes: Buffer; outcome: string }> {
  const stream = new EventStream({
    read: () => undefined,
    pause: () => undefined,
    resume: () => undefined,
    abort: () => undefined,
    drain: () => undefined,
  });
  const passed: Buffer[] = [];
  const middle = Math.floor(chunks.length / 2);
  for (const chunk of chunks.slice(0, middle)) stream.data(chunk);
  let outcome = '';
  stream.forward({
    pass: (bytes) => passed.push(bytes),
    complete(held) {
      passed.push(held);
      outcome = 'complete';
    },
    broken: (fault) => (outcome = fault.code),
  });
  for (const chunk of chunks.slice(middle)) stream.data(chunk);
  stream.end();
  assert.equal(await stream.committed, undefined);
  return { bytes: Buffer.concat(passed), outcome };
}

test('fields are read as the standard says', () => {
  const read = (text: string): unknown => ({ ...readEvent(Buffer.from(text)) });
  assert.deepEqual(read('data:a\ndata: b\n\n'), { data: 'a\nb' });
  assert.deepEqual(read('event: error\ndata: {}\n\n'), { name: 'error', data: '{}' });
  assert.deepEqual(read(': comment\n\n'), {});
  assert.deepEqual(read('data\n\n'), { data: '' });
  assert.deepEqual(read('database: x\n\n'), {});
  assert.deepEqual(read('\uFEFFdata: x\n\n'), { data: 'x' });
});
