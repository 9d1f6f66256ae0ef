// What happens when a journal is opened: every segment is read, a torn tail is cut off, and anything that looks like the
// loss of an acknowledged record is refused by file and offset.

import { join } from 'node:path';
import { unreachable } from '#base';
import { journalCorrupt, journalNewerFormat } from './errors.ts';
import type { FileLayer, OpenFile } from './file-layer.ts';
import { inspectSegment, segmentNames, type Inspection } from './inspect.ts';
import { workingSuffix, type Segment } from './segment.ts';

const copyBytes = 1_048_576;

export interface Recovered {
  /** Segments that hold records, oldest first. */
  readonly segments: Segment[];
  /** The sequence that the next record gets. */
  readonly nextSequence: number;
  readonly records: number;
  /** Bytes cut off behind the last good record. */
  readonly tornBytes: number;
}

export async function recover(directory: string, files: FileLayer): Promise<Recovered> {
  await removeUnfinished(directory, files);
  const names = await segmentNames(directory, files);
  const segments: Segment[] = [];
  let nextSequence: number | undefined;
  let records = 0;
  let tornBytes = 0;
  for (const [index, name] of names.entries()) {
    const inspection = await inspectSegment(directory, files, name);
    const isLast = index === names.length - 1;
    const segment = goodSegment(join(directory, name), inspection, { expected: nextSequence, isLast });
    if (inspection.trouble || (isLast && inspection.records > 0)) await mendTail(segment, inspection, files);
    tornBytes += inspection.size - segment.bytes;
    records += inspection.records;
    nextSequence = segment.lastSequence + 1;
    // An empty segment only keeps the count; the new one takes its name and its place.
    if (inspection.records > 0) segments.push(segment);
  }
  return { segments, nextSequence: nextSequence ?? 1, records, tornBytes };
}

async function removeUnfinished(directory: string, files: FileLayer): Promise<void> {
  for (const name of await files.list(directory)) {
    if (name.endsWith(`.seg${workingSuffix}`)) await files.remove(join(directory, name));
  }
}

function goodSegment(
  path: string,
  inspection: Inspection,
  place: { expected: number | undefined; isLast: boolean },
): Segment {
  const { segment, trouble } = inspection;
  if (!segment) throw refusal(path, trouble);
  if (place.expected !== undefined && segment.firstSequence !== place.expected) {
    const problem =
      segment.firstSequence > place.expected
        ? `records ${place.expected} to ${segment.firstSequence - 1} before it are missing`
        : `it repeats records from ${segment.firstSequence} on`;
    throw journalCorrupt(path, 0, problem);
  }
  // A torn tail before another segment is told by that segment: it must continue exactly behind the last good record.
  if (trouble && trouble.kind !== 'torn') throw refusal(path, trouble);
  return segment;
}

function refusal(path: string, trouble: Inspection['trouble']): Error {
  if (!trouble) return journalCorrupt(path, 0, 'the header is not good');
  switch (trouble.kind) {
    case 'newer':
      return journalNewerFormat(path, trouble.problem);
    case 'torn':
    case 'damaged':
      return journalCorrupt(path, trouble.offset, trouble.problem);
    default:
      return unreachable(trouble.kind);
  }
}

/**
 * Cuts the torn bytes off and writes the last group once more. The group may never have been acknowledged, and after a
 * failed fdatasync Linux shows its bytes while no later fdatasync writes them: only writing again makes them durable.
 */
async function mendTail(segment: Segment, inspection: Inspection, files: FileLayer): Promise<void> {
  const file = await files.open(segment.path, 'write');
  try {
    if (inspection.size > segment.bytes) await file.truncate(segment.bytes);
    await writeAgain(file, { fromOffset: inspection.lastGroupOffset, toOffset: segment.bytes });
    await file.dataSync();
  } finally {
    await file.close();
  }
}

async function writeAgain(file: OpenFile, range: { fromOffset: number; toOffset: number }): Promise<void> {
  for (let at = range.fromOffset; at < range.toOffset; at += copyBytes) {
    const bytes = Buffer.alloc(Math.min(copyBytes, range.toOffset - at));
    await file.read(bytes, at);
    await file.write([bytes], at);
  }
}
