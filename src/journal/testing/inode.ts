// One file of the crash layer: what a process sees, what the disk surely has, and the changes in between.

import type { Randomness } from '#base';

type Change =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly size: number };

/** Disks write whole sectors; of one that was under way any number of first bytes may be new. */
const sectorBytes = 512;

export class Inode {
  #visible: Buffer;
  #durable: Buffer;
  #unsynced: Change[] = [];

  constructor(bytes: Buffer) {
    this.#visible = Buffer.from(bytes);
    this.#durable = Buffer.from(bytes);
  }

  visible(): Buffer {
    return this.#visible;
  }

  write(bytes: Buffer, offset: number): void {
    this.#visible = written(this.#visible, bytes, offset);
    this.#unsynced.push({ kind: 'write', offset, bytes: Buffer.from(bytes) });
  }

  truncate(size: number): void {
    this.#visible = Buffer.from(this.#visible.subarray(0, size));
    this.#unsynced.push({ kind: 'truncate', size });
  }

  sync(): void {
    for (const change of this.#unsynced) {
      this.#durable =
        change.kind === 'write'
          ? written(this.#durable, change.bytes, change.offset)
          : Buffer.from(this.#durable.subarray(0, change.size));
    }
    this.#unsynced = [];
  }

  /**
   * As Linux does: the error is told once, then the pages count as clean. They are seen until the machine dies, and a
   * later fdatasync succeeds without having written them.
   */
  failSync(): void {
    this.#unsynced = [];
  }

  crash(randomness: Randomness): void {
    for (const change of this.#unsynced) {
      if (change.kind === 'truncate') {
        if (randomness.fraction() < 0.5) this.#durable = Buffer.from(this.#durable.subarray(0, change.size));
      } else {
        this.#durable = writtenInPart(this.#durable, change, randomness);
      }
    }
    this.#unsynced = [];
    this.#visible = Buffer.from(this.#durable);
  }
}

function written(file: Buffer, bytes: Buffer, offset: number): Buffer {
  const grown = Buffer.alloc(Math.max(file.length, offset + bytes.length));
  file.copy(grown);
  bytes.copy(grown, offset);
  return grown;
}

/** Nothing, everything, a first part, or any set of sectors, one of them torn. */
function writtenInPart(file: Buffer, change: { offset: number; bytes: Buffer }, randomness: Randomness): Buffer {
  const { offset, bytes } = change;
  const fate = randomness.fraction();
  if (fate < 0.2) return file;
  if (fate < 0.4) return written(file, bytes, offset);
  if (fate < 0.7) return written(file, bytes.subarray(0, Math.floor(randomness.fraction() * bytes.length)), offset);
  let result = file;
  for (let at = 0; at < bytes.length; at += sectorBytes) {
    if (randomness.fraction() < 0.5) continue;
    const whole = Math.min(sectorBytes, bytes.length - at);
    const length = randomness.fraction() < 0.8 ? whole : Math.floor(randomness.fraction() * whole);
    result = written(result, bytes.subarray(at, at + length), offset + at);
  }
  return result;
}
