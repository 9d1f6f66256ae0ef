// The bytes of a segment, as docs/journal-format.md states them: header and frames, little-endian. Nothing here touches
// a disk.

import { crc32c } from './crc32c.ts';
import { recordKinds, type RecordKind } from './port.ts';

export const formatVersion = 1;
const magic = Buffer.from('UNDERSTJ', 'latin1');
export const headerBytes = 64;
/** A header may grow (wrapped keys of an encrypted segment); a reader takes at most this much of it. */
export const headerBytesMax = 65_536;
/** Length, checksum, sequence, kind, flags, length of meta. */
export const frameHeadBytes = 22;
/** Length and checksum stand outside what the length counts. */
const lengthExcludesBytes = 8;
/** Twice the largest captured body (`capture.bytesMax` is 32 MiB). */
export const frameBytesMax = 67_108_864;
export const metaBytesMax = 1_048_576;

/** Bits of the header's flags. A reader refuses a segment with a bit it does not know. */
export const headerFlags = {
  /** Reserved: frames are sealed with AES-256-GCM under a key wrapped in the longer header. */
  sealed: 0x1,
  /** Reserved: a copy received from the peer region. */
  peerCopy: 0x2,
} as const;

/** Bits of a frame's flags. A reader refuses a frame with a bit it does not know. */
export const frameFlags = {
  /** First frame of a group: all bytes before it were covered by a successful fdatasync when it was written. */
  groupStart: 0x01,
  /** Reserved: meta and body are ciphertext followed by a 16-byte tag. */
  sealed: 0x02,
  /** Reserved: the body is compressed. */
  compressed: 0x04,
} as const;
const frameFlagsKnown: number = frameFlags.groupStart;

export interface SegmentHeader {
  readonly version: number;
  /** Bytes of the header; frames begin there. */
  readonly length: number;
  readonly flags: number;
  readonly firstSequence: number;
  readonly createdAtMs: number;
  /** 32 hex digits. */
  readonly segmentId: string;
  /** Start value of each frame's checksum, so that no bytes inside a body can pass for a frame. */
  readonly checksumSeed: number;
}

export function segmentFileName(firstSequence: number): string {
  return `${String(firstSequence).padStart(20, '0')}.seg`;
}

export function isSegmentFileName(name: string): boolean {
  return /^\d{20}\.seg$/.test(name);
}

export function firstSequenceOfFileName(name: string): number {
  return Number(name.slice(0, 20));
}

export function encodeHeader(header: Omit<SegmentHeader, 'version' | 'length'>): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  magic.copy(bytes);
  bytes.writeUInt16LE(formatVersion, 8);
  bytes.writeUInt16LE(headerBytes, 10);
  bytes.writeUInt32LE(header.flags, 12);
  bytes.writeBigUInt64LE(BigInt(header.firstSequence), 16);
  bytes.writeBigUInt64LE(BigInt(Math.trunc(header.createdAtMs)), 24);
  bytes.write(header.segmentId, 32, 16, 'hex');
  bytes.writeUInt32LE(header.checksumSeed, 48);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, headerBytes - 4)), headerBytes - 4);
  return bytes;
}

export type HeaderReading =
  | { readonly outcome: 'good'; readonly header: SegmentHeader }
  | { readonly outcome: 'short' | 'damaged' | 'newer'; readonly problem: string };

/** Reads a header from the first bytes of a file (up to `headerBytesMax` of them). */
export function decodeHeader(bytes: Buffer): HeaderReading {
  if (bytes.length < headerBytes) return { outcome: 'short', problem: 'the header is cut off' };
  if (!bytes.subarray(0, 8).equals(magic))
    return { outcome: 'damaged', problem: 'it does not begin as a segment does' };
  const version = bytes.readUInt16LE(8);
  const length = bytes.readUInt16LE(10);
  if (length < headerBytes) return { outcome: 'damaged', problem: 'the header states an impossible length' };
  if (bytes.length < length) return { outcome: 'short', problem: 'the header is cut off' };
  // Checksum before version: the place of the checksum is the same in every version.
  if (bytes.readUInt32LE(length - 4) !== crc32c(bytes.subarray(0, length - 4)))
    return { outcome: 'damaged', problem: 'the checksum of the header is wrong' };
  const flags = bytes.readUInt32LE(12);
  if (version > formatVersion) return { outcome: 'newer', problem: `format ${version}` };
  if (flags !== 0) return { outcome: 'newer', problem: `header flags 0x${flags.toString(16)}` };
  return {
    outcome: 'good',
    header: {
      version,
      length,
      flags,
      firstSequence: Number(bytes.readBigUInt64LE(16)),
      createdAtMs: Number(bytes.readBigUInt64LE(24)),
      segmentId: bytes.toString('hex', 32, 48),
      checksumSeed: bytes.readUInt32LE(48),
    },
  };
}

/** Bodies up to this size are copied behind the meta: one buffer less for the kernel costs less than the copy. */
const copiedBodyBytesMax = 4_096;

export interface FrameParts {
  readonly sequence: number;
  readonly kind: RecordKind;
  readonly flags: number;
  readonly metaText: string;
  readonly metaBytes: number;
  readonly body: Uint8Array | undefined;
  readonly checksumSeed: number;
}

/** The frame as one or two buffers; a large body stays where it is. */
export function encodeFrame(parts: FrameParts): Uint8Array[] {
  const bodyBytes = parts.body?.length ?? 0;
  const copied = bodyBytes <= copiedBodyBytesMax;
  const head = Buffer.allocUnsafe(frameHeadBytes + parts.metaBytes + (copied ? bodyBytes : 0));
  head.writeUInt32LE(frameHeadBytes - lengthExcludesBytes + parts.metaBytes + bodyBytes, 0);
  // Two halves: writing a BigInt costs an allocation for each record.
  head.writeUInt32LE(parts.sequence % 0x1_0000_0000, 8);
  head.writeUInt32LE(Math.floor(parts.sequence / 0x1_0000_0000), 12);
  head.writeUInt8(recordKinds[parts.kind], 16);
  head.writeUInt8(parts.flags, 17);
  head.writeUInt32LE(parts.metaBytes, 18);
  head.write(parts.metaText, frameHeadBytes, 'utf8');
  if (copied && parts.body) head.set(parts.body, frameHeadBytes + parts.metaBytes);
  const headCrc = crc32c(head.subarray(lengthExcludesBytes), parts.checksumSeed);
  const crc = copied || !parts.body ? headCrc : crc32c(parts.body, headCrc);
  head.writeUInt32LE(crc, 4);
  return copied || !parts.body ? [head] : [head, parts.body];
}

export function frameBytesFor(metaBytes: number, bodyBytes: number): number {
  return frameHeadBytes + metaBytes + bodyBytes;
}

export interface Frame {
  readonly sequence: number;
  /** Number on disk; `kindOf` gives its name. */
  readonly kind: number;
  readonly flags: number;
  readonly meta: Buffer;
  readonly body: Buffer;
  /** Bytes of the whole frame. */
  readonly length: number;
}

export type FrameReading =
  | { readonly outcome: 'good'; readonly frame: Frame }
  /** More bytes are needed: the whole frame takes `length` (when its length could be read). */
  | { readonly outcome: 'short'; readonly length: number }
  | { readonly outcome: 'damaged' | 'newer'; readonly problem: string };

/** Reads the frame that begins at `offset`. The frame's buffers are views of `bytes`. */
export function decodeFrame(bytes: Buffer, offset: number, checksumSeed: number): FrameReading {
  const available = bytes.length - offset;
  if (available < frameHeadBytes) return { outcome: 'short', length: frameHeadBytes };
  const length = bytes.readUInt32LE(offset) + lengthExcludesBytes;
  const metaBytes = bytes.readUInt32LE(offset + 18);
  if (length > frameBytesMax || length < frameHeadBytes || frameHeadBytes + metaBytes > length)
    return { outcome: 'damaged', problem: 'a frame states an impossible length' };
  if (available < length) return { outcome: 'short', length };
  const end = offset + length;
  if (bytes.readUInt32LE(offset + 4) !== crc32c(bytes.subarray(offset + lengthExcludesBytes, end), checksumSeed))
    return { outcome: 'damaged', problem: 'the checksum of a frame is wrong' };
  const flags = bytes.readUInt8(offset + 17);
  if ((flags & ~frameFlagsKnown) !== 0) return { outcome: 'newer', problem: `frame flags 0x${flags.toString(16)}` };
  const metaEnd = offset + frameHeadBytes + metaBytes;
  return {
    outcome: 'good',
    frame: {
      sequence: bytes.readUInt32LE(offset + 8) + bytes.readUInt32LE(offset + 12) * 0x1_0000_0000,
      kind: bytes.readUInt8(offset + 16),
      flags,
      meta: bytes.subarray(offset + frameHeadBytes, metaEnd),
      body: bytes.subarray(metaEnd, end),
      length,
    },
  };
}

const kindNames = new Map<number, RecordKind>(
  Object.entries(recordKinds).map(([name, number]) => [number, name as RecordKind]),
);

/** The name of a kind's number; undefined for a kind of a newer program. */
export function kindOf(number: number): RecordKind | undefined {
  return kindNames.get(number);
}
