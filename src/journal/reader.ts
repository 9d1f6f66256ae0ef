// Reads durable records back from the segment files, in order, while others append and release.

import { assert, codeOf, isRecord, tryParseJson } from '#base';
import { journalCorrupt } from './errors.ts';
import { kindOf } from './format.ts';
import type { JournalRecord } from './port.ts';
import { scanFrames, type FrameAt } from './scan.ts';
import type { Segment } from './segment.ts';
import type { SegmentStore } from './segment-store.ts';

const windowBytes = 262_144;

/** Records after `afterSequence` up to the newest durable one. Records released meanwhile are skipped. */
export async function* readRecords(
  store: SegmentStore,
  options: { afterSequence: number; signal?: AbortSignal },
): AsyncGenerator<JournalRecord> {
  let after = options.afterSequence;
  for (;;) {
    options.signal?.throwIfAborted();
    const segment = store.segmentAfter(after);
    if (!segment) return;
    const before = after;
    for await (const record of readSegment(store, segment, { after })) {
      options.signal?.throwIfAborted();
      after = record.sequence;
      yield record;
    }
    if (segment.released) after = Math.max(after, segment.lastSequence);
    assert(after > before, `segment ${segment.name} gives its records`);
  }
}

async function* readSegment(
  store: SegmentStore,
  segment: Segment,
  options: { after: number },
): AsyncGenerator<JournalRecord> {
  const file = await store.files.open(segment.path, 'read').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' && segment.released) return undefined;
    if (codeOf(error) === 'ENOENT') throw journalCorrupt(segment.path, 0, 'the file is gone');
    throw error;
  });
  if (!file) return;
  try {
    const fromOffset = segment.index.offsetBefore(options.after + 1) ?? segment.headerBytes;
    const { bytes: toOffset, checksumSeed } = segment;
    const scan = scanFrames(file, { fromOffset, toOffset, checksumSeed, windowBytes });
    let step = await scan.next();
    for (; !step.done; step = await scan.next()) {
      for (const at of step.value) if (at.frame.sequence > options.after) yield recordOf(at, segment);
    }
    if (step.value.outcome !== 'end') throw journalCorrupt(segment.path, step.value.offset, step.value.problem);
  } finally {
    await file.close();
  }
}

function recordOf(at: FrameAt, segment: Segment): JournalRecord {
  const { frame } = at;
  const kind = kindOf(frame.kind);
  const meta = tryParseJson(frame.meta.toString('utf8'));
  if (!kind || !meta.ok || !isRecord(meta.value))
    throw journalCorrupt(segment.path, at.offset, `record ${frame.sequence} is not one that this program writes`);
  return { sequence: frame.sequence, kind, meta: meta.value, body: frame.body };
}
