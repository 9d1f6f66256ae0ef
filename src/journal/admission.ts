// What the journal still takes. New work is refused first, so that what has begun can be recorded to its end.

import { unreachable } from '#base';
import { journalBusy, journalFull, journalRecordTooLarge } from './errors.ts';
import { frameBytesMax, metaBytesMax } from './format.ts';
import type { RecordKind } from './port.ts';

/** Kept above the bound for exchanges that are open when it is reached: a sixteenth of it, at least 1 MiB. */
export function reserveBytes(boundBytes: number): number {
  return Math.max(1_048_576, Math.floor(boundBytes / 16));
}

export interface Load {
  /** On the disk and waiting for it. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly pendingBytes: number;
  readonly pendingBytesMax: number;
}

/** Throws what `append` is to throw for a frame of this size, or nothing. */
export function admit(kind: RecordKind, frame: { bytes: number; metaBytes: number }, load: Load): void {
  if (frame.bytes > frameBytesMax) throw journalRecordTooLarge(frame.bytes, frameBytesMax);
  if (frame.metaBytes > metaBytesMax) throw journalRecordTooLarge(frame.metaBytes, metaBytesMax);
  if (load.bytes + frame.bytes > boundFor(kind, load.bytesMax)) throw journalFull(load.bytes, load.bytesMax);
  // An empty queue takes any one record, else a record over the bound could never be written.
  if (load.pendingBytes > 0 && load.pendingBytes + frame.bytes > boundFor(kind, load.pendingBytesMax))
    throw journalBusy(load.pendingBytes, load.pendingBytesMax);
}

/** Parts may use half of the reserve, so that they never leave a `close` without room. */
function boundFor(kind: RecordKind, boundBytes: number): number {
  switch (kind) {
    case 'open':
    case 'otlp':
      return boundBytes;
    case 'part':
      return boundBytes + reserveBytes(boundBytes) / 2;
    case 'close':
      return boundBytes + reserveBytes(boundBytes);
    default:
      return unreachable(kind);
  }
}
