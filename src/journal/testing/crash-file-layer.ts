// A disk in memory that models a machine's death: after `crash` only what a successful fdatasync or directory sync has
// covered is certain, and of the rest any part may be there. It also fails and tears on order. For tests.

import { basename } from 'node:path';
import type { Randomness } from '#base';
import { journalInUse } from '../errors.ts';
import type { FileLayer, OpenFile } from '../file-layer.ts';
import { Inode } from './inode.ts';

type DirectoryChange =
  | { readonly kind: 'link'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode };

/** A fault hits the nth next call of its kind (1 is the next one). */
export interface DiskFaults {
  failWrite?: { nth: number; code: 'EIO' | 'ENOSPC' };
  failSync?: { nth: number; code: 'EIO' | 'ENOSPC' };
  failDirectorySync?: { nth: number };
}

export class CrashDisk {
  /** As if the call of fdatasync had been left out of the program. */
  readonly ignoreSync: boolean;
  readonly faults: DiskFaults = {};
  readonly counts = { writes: 0, syncs: 0, directorySyncs: 0 };
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #changes: DirectoryChange[] = [];
  #locked = false;
  #life = 0;

  constructor(options: { ignoreSync?: boolean } = {}) {
    this.ignoreSync = options.ignoreSync ?? false;
  }

  /** The disk as one process sees it. After `crash` or `kill` its calls never settle and have no effect. */
  files(): FileLayer {
    const life = this.#life;
    const alive = async (): Promise<void> => {
      await nextTurn();
      if (life !== this.#life) await new Promise(() => {});
    };
    return {
      makeDirectory: alive,
      list: () => alive().then(() => this.names()),
      open: async (path, mode) => {
        await alive();
        return this.#file(this.#open(basename(path), mode), alive);
      },
      rename: (from, to) => alive().then(() => this.#rename(basename(from), basename(to))),
      remove: (path) => alive().then(() => this.#remove(basename(path))),
      syncDirectory: async () => {
        await alive();
        this.#syncDirectory();
        await alive();
      },
      lock: async (directory) => {
        await alive();
        if (this.#locked) throw journalInUse(directory, 'this test');
        this.#locked = true;
        return () =>
          alive().then(() => {
            this.#locked = false;
          });
      },
    };
  }

  /** The machine dies now and comes back: unsynced bytes and names survive or not, as `randomness` has it. */
  crash(randomness: Randomness): void {
    this.kill();
    const survived = new Map(this.#durableNames);
    for (const change of this.#changes) if (randomness.fraction() < 0.5) applyChange(survived, change);
    for (const inode of new Set(survived.values())) inode.crash(randomness);
    this.#names = survived;
    this.#durableNames = new Map(survived);
    this.#changes = [];
  }

  /** The process dies, the machine does not: everything written stays to be seen. */
  kill(): void {
    this.#life++;
    this.#locked = false;
    delete this.faults.failWrite;
    delete this.faults.failSync;
    delete this.faults.failDirectorySync;
  }

  names(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** The bytes a process sees in a file; undefined when there is none. */
  peek(name: string): Buffer | undefined {
    return this.#names.get(name)?.visible();
  }

  /** Replaces a file's bytes for good, as a disk that rots would. */
  poke(name: string, bytes: Buffer): void {
    const inode = new Inode(bytes);
    this.#names.set(name, inode);
    this.#durableNames.set(name, inode);
  }

  /** A file vanishes for good. */
  drop(name: string): void {
    this.#names.delete(name);
    this.#durableNames.delete(name);
  }

  #open(name: string, mode: 'create' | 'read' | 'write'): Inode {
    if (mode === 'create') this.#change({ kind: 'link', name, inode: new Inode(Buffer.alloc(0)) });
    const inode = this.#names.get(name);
    if (!inode) throw systemError('ENOENT');
    return inode;
  }

  #rename(from: string, to: string): void {
    const inode = this.#names.get(from);
    if (!inode) throw systemError('ENOENT');
    this.#change({ kind: 'rename', from, to, inode });
  }

  #remove(name: string): void {
    if (!this.#names.has(name)) throw systemError('ENOENT');
    this.#change({ kind: 'unlink', name });
  }

  #syncDirectory(): void {
    this.counts.directorySyncs++;
    const fault = this.faults.failDirectorySync;
    if (fault && --fault.nth === 0) throw systemError('EIO');
    for (const change of this.#changes) applyChange(this.#durableNames, change);
    this.#changes = [];
  }

  #change(change: DirectoryChange): void {
    applyChange(this.#names, change);
    this.#changes.push(change);
  }

  #file(inode: Inode, alive: () => Promise<void>): OpenFile {
    return {
      write: async (buffers, position) => {
        await alive();
        this.#write(inode, Buffer.concat(buffers), position);
        await alive();
      },
      read: (target, position) => alive().then(() => inode.visible().copy(target, 0, position)),
      dataSync: async () => {
        await alive();
        this.#dataSync(inode);
        await alive();
      },
      truncate: (size) => alive().then(() => inode.truncate(size)),
      size: () => alive().then(() => inode.visible().length),
      close: alive,
    };
  }

  #write(inode: Inode, bytes: Buffer, position: number): void {
    this.counts.writes++;
    const fault = this.faults.failWrite;
    const fails = fault !== undefined && --fault.nth === 0;
    inode.write(fails ? bytes.subarray(0, Math.floor(bytes.length / 2)) : bytes, position);
    if (fails) throw systemError(fault.code);
  }

  #dataSync(inode: Inode): void {
    this.counts.syncs++;
    const fault = this.faults.failSync;
    if (fault && --fault.nth === 0) {
      inode.failSync();
      throw systemError(fault.code);
    }
    if (!this.ignoreSync) inode.sync();
  }
}

function applyChange(names: Map<string, Inode>, change: DirectoryChange): void {
  switch (change.kind) {
    case 'link':
      names.set(change.name, change.inode);
      break;
    case 'unlink':
      names.delete(change.name);
      break;
    case 'rename':
      names.delete(change.from);
      names.set(change.to, change.inode);
      break;
  }
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: the test's disk says so`), { code });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
