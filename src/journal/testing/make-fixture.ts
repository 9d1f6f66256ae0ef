// Writes the files of a released format that tests keep reading for ever:
//   node src/journal/testing/make-fixture.ts DIRECTORY
// Run it once for each new format version, never again for an old one.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ManualClock, seededRandomness } from '#base';
import { nodeFileLayer } from '../file-layer.ts';
import { openJournal } from '../journal.ts';
import type { NewRecord } from '../port.ts';

const records: NewRecord[] = [
  { kind: 'open', meta: { exchange: 'xc_1', tenant: 'Zürich' }, body: Buffer.from('{"model":"m","messages":[]}') },
  { kind: 'part', meta: { exchange: 'xc_1', offset: 0 }, body: Uint8Array.from({ length: 256 }, (_, index) => index) },
  { kind: 'close', meta: { exchange: 'xc_1', outcome: 'answered' } },
  { kind: 'otlp', meta: { spans: 1 }, body: Buffer.alloc(6_000, 'otlp') },
  { kind: 'open', meta: { exchange: 'xc_2' }, body: Buffer.alloc(0) },
];

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  process.stderr.write('usage: node src/journal/testing/make-fixture.ts DIRECTORY\n');
  process.exit(2);
}
await mkdir(directory, { recursive: true });
const journal = await openJournal({
  directory,
  files: nodeFileLayer(),
  clock: new ManualClock(),
  randomness: seededRandomness(1),
  bytesMax: 32_768,
  segmentBytesMax: 4_096,
});
for (const [index, record] of records.entries()) {
  const { durable } = journal.append(record);
  // The second and third record share a group.
  if (index !== 1) await durable;
}
await journal.close();
const expected = records.map((record, index) => ({
  sequence: index + 1,
  kind: record.kind,
  meta: record.meta,
  body: Buffer.from(record.body ?? []).toString('base64'),
}));
await writeFile(join(directory, 'expected.json'), `${JSON.stringify(expected, null, 2)}\n`);
