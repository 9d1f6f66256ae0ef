// Reads one segment file from end to end and reports what it holds and where it stops being good. Recovery acts on the
// report, the scrub prints it.

import { join } from 'node:path';
import type { FileLayer, OpenFile } from './file-layer.ts';
import {
  decodeHeader,
  firstSequenceOfFileName,
  frameFlags,
  headerBytesMax,
  isSegmentFileName,
  kindOf,
  type SegmentHeader,
} from './format.ts';
import { laterGroupExists, scanFrames, type FrameAt } from './scan.ts';
import { SparseIndex, type Segment } from './segment.ts';

const windowBytes = 1_048_576;

/** `torn`: only the last group is bad, as a death leaves it. `damaged`: something acknowledged is bad. */
export interface Trouble {
  readonly kind: 'torn' | 'damaged' | 'newer';
  readonly offset: number;
  readonly problem: string;
}

export interface Inspection {
  readonly name: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Absent when the header is not good; then there is trouble and nothing else counts. */
  readonly segment: Segment | undefined;
  readonly records: number;
  /** Where the last good group begins. */
  readonly lastGroupOffset: number;
  readonly trouble: Trouble | undefined;
}

/** Names of the segment files, oldest first. */
export async function segmentNames(directory: string, files: FileLayer): Promise<string[]> {
  return (await files.list(directory)).filter(isSegmentFileName).sort();
}

export async function inspectSegment(directory: string, files: FileLayer, name: string): Promise<Inspection> {
  const path = join(directory, name);
  const file = await files.open(path, 'read');
  try {
    const size = await file.size();
    const start = Buffer.alloc(Math.min(size, headerBytesMax));
    const reading = decodeHeader(start.subarray(0, await file.read(start, 0)));
    if (reading.outcome !== 'good') {
      // A segment gets its name only when its header is on the disk, so even a short header is damage.
      const kind = reading.outcome === 'newer' ? 'newer' : 'damaged';
      const trouble: Trouble = { kind, offset: 0, problem: reading.problem };
      return { name, size, segment: undefined, records: 0, lastGroupOffset: 0, trouble };
    }
    const segment = segmentOf(name, path, reading.header);
    if (segment.firstSequence !== firstSequenceOfFileName(name)) {
      const problem = `its header says that it begins with record ${segment.firstSequence}`;
      const trouble: Trouble = { kind: 'damaged', offset: 16, problem };
      return { name, size, segment, records: 0, lastGroupOffset: segment.bytes, trouble };
    }
    return await inspectFrames(file, { name, size, segment });
  } finally {
    await file.close();
  }
}

function segmentOf(name: string, path: string, header: SegmentHeader): Segment {
  return {
    name,
    path,
    firstSequence: header.firstSequence,
    headerBytes: header.length,
    checksumSeed: header.checksumSeed,
    index: new SparseIndex(),
    lastSequence: header.firstSequence - 1,
    bytes: header.length,
    released: false,
  };
}

async function inspectFrames(
  file: OpenFile,
  parts: { name: string; size: number; segment: Segment },
): Promise<Inspection> {
  const { name, size, segment } = parts;
  const { checksumSeed } = segment;
  let lastGroupOffset = segment.bytes;
  const report = (trouble?: Trouble): Inspection => {
    const records = segment.lastSequence - segment.firstSequence + 1;
    return { name, size, segment, records, lastGroupOffset, trouble };
  };
  const scan = scanFrames(file, { fromOffset: segment.bytes, toOffset: size, checksumSeed, windowBytes });
  let step = await scan.next();
  for (; !step.done; step = await scan.next()) {
    for (const at of step.value) {
      const trouble = troubleOf(at, segment);
      if (trouble) return report(trouble);
      if ((at.frame.flags & frameFlags.groupStart) !== 0) lastGroupOffset = at.offset;
      segment.index.note(at.frame.sequence, at.offset);
      segment.lastSequence = at.frame.sequence;
      segment.bytes = at.offset + at.frame.length;
    }
  }
  const end = step.value;
  if (end.outcome === 'end') return report();
  const { offset, problem } = end;
  if (end.outcome === 'newer') return report({ kind: 'newer', offset, problem });
  const range = { fromOffset: offset, toOffset: size, checksumSeed, afterSequence: segment.lastSequence };
  const kind = (await laterGroupExists(file, range)) ? 'damaged' : 'torn';
  return report({ kind, offset, problem });
}

function troubleOf(at: FrameAt, segment: Segment): Trouble | undefined {
  const expected = segment.lastSequence + 1;
  const { sequence, kind } = at.frame;
  if (sequence !== expected)
    return { kind: 'damaged', offset: at.offset, problem: `record ${sequence} where ${expected} must be` };
  if (kindOf(kind) === undefined) return { kind: 'newer', offset: at.offset, problem: `a record of kind ${kind}` };
  return undefined;
}
