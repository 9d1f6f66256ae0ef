// Who waits for changes of cells. Each watcher holds at most the newest state per changed key, and past a bound only the
// fact that it must list again, so that a slow reader costs a fixed amount of memory.

import type { Cell } from './port.ts';

/** Changed keys a watcher remembers one by one; past it, it lists its prefix again. */
const changedKeysMax = 10_000;

interface Watcher {
  readonly prefix: string;
  changed: Map<string, Cell>;
  mustList: boolean;
  wake: () => void;
}

export class CellWatchers {
  readonly #watchers = new Set<Watcher>();
  readonly #keysMax: number;
  #closed = false;

  constructor(options: { keysMax?: number } = {}) {
    this.#keysMax = options.keysMax ?? changedKeysMax;
  }

  get count(): number {
    return this.#watchers.size;
  }

  notify(cells: readonly Cell[]): void {
    for (const watcher of this.#watchers) {
      let woken = false;
      for (const cell of cells) {
        if (!cell.key.startsWith(watcher.prefix)) continue;
        woken = true;
        if (watcher.mustList) continue;
        watcher.changed.delete(cell.key);
        watcher.changed.set(cell.key, cell);
        if (watcher.changed.size > this.#keysMax) {
          watcher.changed.clear();
          watcher.mustList = true;
        }
      }
      if (woken) watcher.wake();
    }
  }

  /** Cells with the prefix now, then each change, until the signal aborts or the ledger closes. */
  async *watch(prefix: string, signal: AbortSignal, list: () => Promise<Cell[]>): AsyncGenerator<Cell> {
    const watcher: Watcher = { prefix, changed: new Map(), mustList: true, wake: () => {} };
    const onAbort = (): void => watcher.wake();
    this.#watchers.add(watcher);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted && !this.#closed) {
        for (const cell of await this.#takeChanged(watcher, list)) {
          yield cell;
          if (isAborted(signal)) return;
        }
        await this.#untilChanged(watcher, signal);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#watchers.delete(watcher);
    }
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.wake();
  }

  async #takeChanged(watcher: Watcher, list: () => Promise<Cell[]>): Promise<Iterable<Cell>> {
    const changed = watcher.changed;
    watcher.changed = new Map();
    if (!watcher.mustList) return changed.values();
    // Cleared before listing: a write during the listing must make another round.
    watcher.mustList = false;
    try {
      return await list();
    } catch (error) {
      if (this.#closed) return [];
      throw error;
    }
  }

  #untilChanged(watcher: Watcher, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      watcher.wake = resolve;
      if (signal.aborted || this.#closed || watcher.mustList || watcher.changed.size > 0) resolve();
    });
  }
}

/** A call, because the compiler would otherwise remember the value from before the yield. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
