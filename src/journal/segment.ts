// What is known of one segment file while the journal is open, and how a new one comes into being.

import { join } from 'node:path';
import { randomHex, type Clock, type Randomness } from '#base';
import type { FileLayer, OpenFile } from './file-layer.ts';
import { encodeHeader, headerBytes, segmentFileName } from './format.ts';

/** Bytes between two marks of the index: what a reader may have to skip. */
const markEveryBytes = 65_536;

/** Marks of where some records begin, so that reading from the middle of a segment need not start at its beginning. */
export class SparseIndex {
  readonly #sequences: number[] = [];
  readonly #offsets: number[] = [];

  /** Call for records in order; most calls do nothing. */
  note(sequence: number, offset: number): void {
    const last = this.#offsets.at(-1);
    if (last !== undefined && offset - last < markEveryBytes) return;
    this.#sequences.push(sequence);
    this.#offsets.push(offset);
  }

  /** Where to start reading to find the record; undefined when the segment holds none before or at it. */
  offsetBefore(sequence: number): number | undefined {
    let low = 0;
    let high = this.#sequences.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sequences[middle]! <= sequence) low = middle + 1;
      else high = middle;
    }
    return this.#offsets[low - 1];
  }
}

export interface Segment {
  readonly name: string;
  readonly path: string;
  readonly firstSequence: number;
  readonly headerBytes: number;
  readonly checksumSeed: number;
  readonly index: SparseIndex;
  /** `firstSequence - 1` while the segment is empty. */
  lastSequence: number;
  /** Durable bytes, header included. */
  bytes: number;
  /** Its file is being deleted or is gone. */
  released: boolean;
}

export interface SegmentMaker {
  readonly directory: string;
  readonly files: FileLayer;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** One for all segments of one opening, because frames are made before it is known which segment takes them. */
  readonly checksumSeed: number;
}

/**
 * Makes a segment that survives the machine's death from the moment its promise resolves: the header is synced under a
 * working name, so that a file with the final name is always whole. Replaces an empty segment of the same name.
 */
export async function createSegment(
  maker: SegmentMaker,
  firstSequence: number,
): Promise<{ segment: Segment; file: OpenFile }> {
  const name = segmentFileName(firstSequence);
  const path = join(maker.directory, name);
  const header = encodeHeader({
    flags: 0,
    firstSequence,
    createdAtMs: maker.clock.wallMs(),
    segmentId: randomHex(16, maker.randomness),
    checksumSeed: maker.checksumSeed,
  });
  const file = await maker.files.open(`${path}${workingSuffix}`, 'create');
  try {
    await file.write([header], 0);
    await file.dataSync();
    await maker.files.rename(`${path}${workingSuffix}`, path);
    await maker.files.syncDirectory(maker.directory);
  } catch (error) {
    await file.close();
    throw error;
  }
  const segment: Segment = {
    name,
    path,
    firstSequence,
    headerBytes,
    checksumSeed: maker.checksumSeed,
    index: new SparseIndex(),
    lastSequence: firstSequence - 1,
    bytes: headerBytes,
    released: false,
  };
  return { segment, file };
}

/** Of a file whose segment never came into being. */
export const workingSuffix = '.new';
