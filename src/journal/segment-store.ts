// The segments of an open journal: the one that is written, those before it, and their release.

import { codeOf } from '#base';
import type { OpenFile } from './file-layer.ts';
import type { Group } from './group.ts';
import type { Recovered } from './recovery.ts';
import { createSegment, type Segment, type SegmentMaker } from './segment.ts';

export class SegmentStore {
  readonly #maker: SegmentMaker;
  readonly #segmentBytesMax: number;
  readonly #segments: Segment[];
  #open: { segment: Segment; file: OpenFile };
  #bytes: number;
  #releasing: Promise<void> = Promise.resolve();

  private constructor(
    maker: SegmentMaker,
    parts: { segments: Segment[]; open: { segment: Segment; file: OpenFile }; segmentBytesMax: number },
  ) {
    this.#maker = maker;
    this.#segmentBytesMax = parts.segmentBytesMax;
    this.#segments = [...parts.segments, parts.open.segment];
    this.#open = parts.open;
    this.#bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Every opening begins a new segment: a recovered one is never appended to. */
  static async start(
    maker: SegmentMaker,
    recovered: Recovered,
    options: { segmentBytesMax: number },
  ): Promise<SegmentStore> {
    const open = await createSegment(maker, recovered.nextSequence);
    return new SegmentStore(maker, { segments: recovered.segments, open, ...options });
  }

  get checksumSeed(): number {
    return this.#maker.checksumSeed;
  }

  get files(): SegmentMaker['files'] {
    return this.#maker.files;
  }

  /** Durable bytes of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#segments.length;
  }

  /** Sequence of the oldest record that is kept, or of the next one when none is. */
  get firstSequence(): number {
    return this.#segments[0]!.firstSequence;
  }

  /** The segment that holds the first record after `sequence`. */
  segmentAfter(sequence: number): Segment | undefined {
    return this.#segments.find(
      (segment) => holdsRecords(segment) && segment.lastSequence > sequence && !segment.released,
    );
  }

  /** Writes the group and syncs it; when the promise resolves its records are durable. */
  async commit(group: Group): Promise<void> {
    const full = this.#open.segment.bytes + group.bytes > this.#segmentBytesMax;
    if (full && holdsRecords(this.#open.segment)) await this.#roll(group.firstSequence);
    const { segment, file } = this.#open;
    await file.write(group.buffers, segment.bytes);
    await file.dataSync();
    group.noteIn(segment.index, segment.bytes);
    segment.bytes += group.bytes;
    segment.lastSequence = group.lastSequence;
    this.#bytes += group.bytes;
  }

  /** Deletes whole segments, oldest first, never the open one. */
  release(throughSequence: number): Promise<void> {
    const release = this.#releasing.then(() => this.#release(throughSequence));
    this.#releasing = release.catch(() => {});
    return release;
  }

  /** With `seal` an empty segment follows the last record, so that the next opening knows where the records end. */
  async close(options: { seal: boolean }): Promise<void> {
    await this.#releasing;
    if (options.seal && holdsRecords(this.#open.segment)) {
      await this.#roll(this.#open.segment.lastSequence + 1).catch(() => {}); // Only a check less for the next opening.
    }
    await this.#open.file.close();
  }

  async #roll(firstSequence: number): Promise<void> {
    const next = await createSegment(this.#maker, firstSequence);
    await this.#open.file.close();
    this.#open = next;
    this.#segments.push(next.segment);
    this.#bytes += next.segment.bytes;
  }

  async #release(throughSequence: number): Promise<void> {
    for (;;) {
      const [oldest] = this.#segments;
      if (!oldest || oldest === this.#open.segment || oldest.lastSequence > throughSequence) return;
      // Before the file goes: a reader that misses it then knows why.
      oldest.released = true;
      await this.#removeFile(oldest);
      this.#segments.shift();
      this.#bytes -= oldest.bytes;
    }
  }

  /** Synced one by one: were a newer file gone and an older one still there, recovery would see a gap. */
  async #removeFile(segment: Segment): Promise<void> {
    try {
      await this.#maker.files.remove(segment.path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    await this.#maker.files.syncDirectory(this.#maker.directory);
  }
}

function holdsRecords(segment: Segment): boolean {
  return segment.lastSequence >= segment.firstSequence;
}
