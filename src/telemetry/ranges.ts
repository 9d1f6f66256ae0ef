// Parts of the journal a destination still has to be given by reading them again: after a start, an overflow, or a span
// that could not be read back. Neighbours melt together so that the list stays short.

export interface Range {
  /** Items with after < sequence <= through. */
  readonly after: number;
  readonly through: number;
  /** No item in it began before this wall time; 0 when unknown. */
  readonly fromMs: number;
  /** When the oldest of it became shippable (monotonic ms). */
  readonly sinceMs: number;
}

const rangesMax = 64;
/** Ranges closer than this many records melt: reading the little between them costs less than a longer list. */
const meltRecords = 1_000;

export class Ranges {
  #list: Range[] = [];

  get first(): Range | undefined {
    return this.#list[0];
  }

  get list(): readonly Range[] {
    return this.#list;
  }

  add(range: Range): void {
    if (range.through <= range.after) return;
    this.#list = melt(
      [...this.#list, range].sort((a, b) => a.after - b.after),
      meltRecords,
    );
    for (let distance = meltRecords * 2; this.#list.length > rangesMax; distance *= 2) {
      this.#list = melt(this.#list, distance);
    }
  }

  /** Takes the oldest range out; what is added meanwhile stands for itself. */
  take(): Range | undefined {
    return this.#list.shift();
  }
}

function melt(sorted: readonly Range[], distance: number): Range[] {
  const melted: Range[] = [];
  for (const range of sorted) {
    const last = melted.at(-1);
    if (!last || range.after - last.through > distance) melted.push(range);
    else {
      melted[melted.length - 1] = {
        after: last.after,
        through: Math.max(last.through, range.through),
        fromMs: Math.min(last.fromMs, range.fromMs),
        sinceMs: Math.min(last.sinceMs, range.sinceMs),
      };
    }
  }
  return melted;
}
