// The name a person most likely meant. Used for misspelt keys, kinds and references.

/** The candidate nearest to `written`, or undefined when none is near enough to be worth proposing. */
export function nearest(written: string, candidates: Iterable<string>): string | undefined {
  const wanted = fold(written);
  // Every third letter may be wrong; beyond that a proposal is a guess.
  const distanceMax = Math.max(1, Math.floor(written.length / 3));
  let best: { name: string; distance: number } | undefined;
  for (const name of candidates) {
    const distance = editDistance(wanted, fold(name));
    if (distance <= distanceMax && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

/** ` Did you mean …` as a clause of a message, or nothing. */
export function meant(written: string, candidates: Iterable<string>): string {
  const name = nearest(written, candidates);
  return name === undefined ? '' : `; did you mean \`${name}\`?`;
}

/** `body_bytes-max` and `bodyBytesMax` are the same word to a person. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      let cost = Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, beforePrevious[column - 2]! + 1);
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}
