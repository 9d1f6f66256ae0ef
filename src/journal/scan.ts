// Walks the frames of one segment file in order, a window at a time, and says why it stopped.

import type { OpenFile } from './file-layer.ts';
import { decodeFrame, frameFlags, frameHeadBytes, type Frame } from './format.ts';

export interface FrameAt {
  readonly frame: Frame;
  /** Where the frame begins in the file. */
  readonly offset: number;
}

/** `end`: the last frame ended exactly at the end of the range. */
export type ScanEnd =
  | { readonly outcome: 'end'; readonly offset: number }
  | { readonly outcome: 'torn' | 'damaged' | 'newer'; readonly offset: number; readonly problem: string };

export interface ScanRange {
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly checksumSeed: number;
  /** Bytes read at once; a longer frame is read whole. */
  readonly windowBytes: number;
}

/** Yields frames window by window; a frame's buffers stay valid. Returns why there are no more. */
export async function* scanFrames(file: OpenFile, range: ScanRange): AsyncGenerator<FrameAt[], ScanEnd> {
  let offset = range.fromOffset;
  let windowBytes = range.windowBytes;
  while (offset < range.toOffset) {
    const wanted = Math.min(windowBytes, range.toOffset - offset);
    const target = Buffer.allocUnsafeSlow(wanted);
    const window = target.subarray(0, await file.read(target, offset));
    const { frames, consumed, stop } = framesOf(window, offset, range.checksumSeed);
    if (frames.length > 0) yield frames;
    offset += consumed;
    if (stop && stop.outcome !== 'short') return { outcome: stop.outcome, offset, problem: stop.problem };
    windowBytes = range.windowBytes;
    // A file that is shorter than the range ends here, whether inside a frame or between two.
    const reachesEnd = window.length < wanted || (stop !== undefined && offset + stop.length > range.toOffset);
    if (!stop && !reachesEnd) continue;
    if (!stop || reachesEnd) return { outcome: 'torn', offset, problem: 'a frame is cut off' };
    windowBytes = Math.max(windowBytes, stop.length);
  }
  return { outcome: 'end', offset };
}

function framesOf(
  window: Buffer,
  base: number,
  checksumSeed: number,
): {
  frames: FrameAt[];
  consumed: number;
  stop: Exclude<ReturnType<typeof decodeFrame>, { outcome: 'good' }> | undefined;
} {
  const frames: FrameAt[] = [];
  let consumed = 0;
  while (consumed < window.length) {
    const reading = decodeFrame(window, consumed, checksumSeed);
    if (reading.outcome !== 'good') return { frames, consumed, stop: reading };
    frames.push({ frame: reading.frame, offset: base + consumed });
    consumed += reading.frame.length;
  }
  return { frames, consumed, stop: undefined };
}

/**
 * Whether a whole frame that starts a group lies anywhere after a bad place. If so, what is at the bad place had been
 * synced before, so it was acknowledged and is now damaged; if not, it belongs to the last group, which may be torn.
 */
export async function laterGroupExists(
  file: OpenFile,
  range: { fromOffset: number; toOffset: number; checksumSeed: number; afterSequence: number },
): Promise<boolean> {
  const target = Buffer.allocUnsafeSlow(range.toOffset - range.fromOffset);
  const bytes = target.subarray(0, await file.read(target, range.fromOffset));
  // No more frames than this fit behind the bad place, which bounds the sequences they can have.
  const sequenceMax = range.afterSequence + Math.ceil(bytes.length / frameHeadBytes) + 1;
  for (let at = 1; at + frameHeadBytes <= bytes.length; at++) {
    if ((bytes[at + 17]! & frameFlags.groupStart) === 0) continue;
    const sequence = bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12) * 0x1_0000_0000;
    if (sequence <= range.afterSequence || sequence > sequenceMax) continue;
    if (decodeFrame(bytes, at, range.checksumSeed).outcome === 'good') return true;
  }
  return false;
}
