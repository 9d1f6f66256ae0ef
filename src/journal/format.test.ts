// A reader written from docs/journal-format.md alone, so that the document is known to be enough. It shares no code with
// the journal but the checksum, which has its own vectors.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from './crc32c.ts';

const fixture = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'journal', 'v1');
const kinds = ['', 'open', 'part', 'close', 'otlp'];

function readSegment(bytes: Buffer): { first: number; records: unknown[]; groupStarts: number[] } {
  assert.equal(bytes.toString('latin1', 0, 8), 'UNDERSTJ');
  assert.equal(bytes.readUInt16LE(8), 1);
  const headerLength = bytes.readUInt16LE(10);
  assert.equal(bytes.readUInt32LE(12), 0);
  const first = Number(bytes.readBigUInt64LE(16));
  assert.equal(Number(bytes.readBigUInt64LE(24)), Date.UTC(2026, 0, 1));
  const seed = bytes.readUInt32LE(48);
  assert.equal(bytes.readUInt32LE(headerLength - 4), crc32c(bytes.subarray(0, headerLength - 4)));
  const records: unknown[] = [];
  const groupStarts: number[] = [];
  for (let at = headerLength; at < bytes.length;) {
    const end = at + 8 + bytes.readUInt32LE(at);
    assert.equal(bytes.readUInt32LE(at + 4), crc32c(bytes.subarray(at + 8, end), seed));
    const sequence = Number(bytes.readBigUInt64LE(at + 8));
    const flags = bytes.readUInt8(at + 17);
    if (flags === 1) groupStarts.push(sequence);
    else assert.equal(flags, 0);
    const bodyAt = at + 22 + bytes.readUInt32LE(at + 18);
    const meta: unknown = JSON.parse(bytes.toString('utf8', at + 22, bodyAt));
    records.push({
      sequence,
      kind: kinds[bytes.readUInt8(at + 16)],
      meta,
      body: bytes.toString('base64', bodyAt, end),
    });
    at = end;
  }
  return { first, records, groupStarts };
}

test('the format document is enough to read a journal', async () => {
  const names = (await readdir(fixture)).filter((name) => name.endsWith('.seg')).sort();
  const segments = await Promise.all(names.map(async (name) => readSegment(await readFile(join(fixture, name)))));
  assert.deepEqual(
    segments.map((segment) => segment.first),
    names.map((name) => Number(name.slice(0, 20))),
  );
  const expected = JSON.parse(await readFile(join(fixture, 'expected.json'), 'utf8')) as unknown;
  assert.deepEqual(
    segments.flatMap((segment) => segment.records),
    expected,
  );
  assert.deepEqual(
    segments.flatMap((segment) => segment.groupStarts),
    [1, 2, 4, 5],
  );
});
