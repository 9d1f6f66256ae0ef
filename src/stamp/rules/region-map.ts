// A region map must say for every text exactly one other text, in both directions: what goes to the partner has to come
// back from it unchanged.

import type { Mistake, Path } from '../problem.ts';

interface Replacement {
  readonly home?: string | undefined;
  readonly partner?: string | undefined;
}

type Side = 'home' | 'partner';

export function* ambiguousReplacements(map: readonly (Replacement | undefined)[], path: Path): Iterable<Mistake> {
  for (const [index, entry] of map.entries()) {
    if (entry?.home === undefined || entry.partner === undefined) continue;
    if (entry.home === entry.partner) {
      yield { path: [...path, index], code: 'CONTRADICTION', message: 'both sides are the same text' };
      continue;
    }
    for (const [from, to] of [
      ['home', 'partner'],
      ['partner', 'home'],
    ] as const) {
      const message = conflict(map, index, { from, to });
      if (message === undefined) continue;
      const hint = 'each text needs exactly one counterpart, or a copy cannot be told from its original';
      yield { path: [...path, index, from], code: 'CONTRADICTION', message, hint };
    }
  }
}

/** How the entry at `index` disagrees with another one about what its `from` text becomes. */
function conflict(
  map: readonly (Replacement | undefined)[],
  index: number,
  { from, to }: { readonly from: Side; readonly to: Side },
): string | undefined {
  const text = map[index]?.[from] ?? '';
  const result = map[index]?.[to] ?? '';
  for (const [other, entry] of map.entries()) {
    const part = entry?.[from];
    const replacement = entry?.[to];
    if (other === index || part === undefined || replacement === undefined || part === '') continue;
    // Two equal entries are reported once, at the later one.
    if (part === text && other < index) return `this text already has a counterpart, in entry ${other + 1} of the list`;
    if (part === text || !text.includes(part)) continue;
    if (text.replaceAll(part, replacement) !== result) {
      return `entry ${other + 1} of the list replaces a part of this text by something else`;
    }
  }
  return undefined;
}
