// The disk as a port. The journal does every file operation through it, so that a test can put in its place a disk that
// forgets what was not synced, tears writes, and fails.

import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { lockDirectory } from './lock.ts';

export interface OpenFile {
  /** Writes all the buffers from `position` on, or rejects; then any part of them may be in the file. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Reads into `target` from `position` on; resolves to the bytes read, fewer than asked only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** fdatasync(2): what was written before, and the size of the file, survive the machine's death once it resolves. */
  dataSync(): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface FileLayer {
  /** Makes the directory with its parents, durably. */
  makeDirectory(directory: string): Promise<void>;
  /** Names in the directory, in no order. */
  list(directory: string): Promise<string[]>;
  /** `create`: a new empty file, replacing what had that name. */
  open(path: string, mode: 'create' | 'read' | 'write'): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** fsync of the directory: creations, renames and removals before it survive the machine's death. */
  syncDirectory(directory: string): Promise<void>;
  /** Takes the directory for this process; `JOURNAL_IN_USE` when another holds it. Resolves to how to give it back. */
  lock(directory: string): Promise<() => Promise<void>>;
}

/** The real disk. */
export function nodeFileLayer(): FileLayer {
  return {
    makeDirectory: makeDirectoryDurably,
    list: (directory) => readdir(directory),
    open: async (path, mode) => nodeFile(await open(path, openFlags[mode], 0o600)),
    rename,
    remove: (path) => rm(path),
    syncDirectory,
    lock: lockDirectory,
  };
}

const openFlags = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
} as const;

async function makeDirectoryDurably(directory: string): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  // Each new name must be on the disk, from the innermost up to the parent of the first one that was made.
  const outermost = parentOf(made);
  for (let at = directory; at !== outermost && at !== parentOf(at); at = parentOf(at))
    await syncDirectory(parentOf(at));
}

function parentOf(path: string): string {
  return resolve(path, '..');
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function nodeFile(handle: FileHandle): OpenFile {
  return {
    write: (buffers, position) => writeAll(handle, buffers, position),
    async read(target, position) {
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await handle.read(target, done, target.length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    dataSync: () => handle.datasync(),
    truncate: (size) => handle.truncate(size),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  };
}

/** writev(2) may write less than asked: what is left is written in further calls. */
async function writeAll(handle: FileHandle, buffers: readonly Uint8Array[], position: number): Promise<void> {
  let rest = buffers;
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at);
    if (bytesWritten === 0) throw Object.assign(new Error('the disk took nothing'), { code: 'EIO' });
    at += bytesWritten;
    rest = after(rest, bytesWritten);
  }
}

function after(buffers: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written;
  let index = 0;
  for (; index < buffers.length; index++) {
    const { length } = buffers[index]!;
    if (left < length) break;
    left -= length;
  }
  if (index === buffers.length) return [];
  return [buffers[index]!.subarray(left), ...buffers.slice(index + 1)];
}
