// What rules share: lists of things with ids, references to them, and things that stand twice.

import { meant } from '../nearest.ts';
import type { Mistake, Path } from '../problem.ts';

/** Reports `id` when `known` lacks it; an unreadable id is reported by its shape. */
export function* unknownReference(
  what: string,
  id: string | undefined,
  options: { readonly known: readonly string[] | undefined; readonly path: Path },
): Iterable<Mistake> {
  const { known, path } = options;
  if (id === undefined || known === undefined || known.includes(id)) return;
  yield {
    path,
    code: 'UNKNOWN_REFERENCE',
    message: `unknown ${what} \`${id}\`${meant(id, known)}`,
    ...(known.length > 0 ? { hint: `declared: ${known.join(', ')}` } : {}),
  };
}

/** Ids of a list, without those that cannot be read; undefined when the list itself cannot. */
export function idsOf(
  list: readonly ({ readonly id?: string | undefined } | undefined)[] | undefined,
): string[] | undefined {
  return list?.flatMap((item) => (item?.id === undefined ? [] : [item.id]));
}

/** Reports each text that stands in the list before. */
export function* duplicates(
  what: string,
  texts: readonly (string | undefined)[],
  options: { readonly pathOf: (index: number) => Path; readonly show?: boolean },
): Iterable<Mistake> {
  const first = new Map<string, number>();
  for (const [index, text] of texts.entries()) {
    if (text === undefined) continue;
    if (first.has(text)) {
      const name = options.show === false ? '' : ` \`${text}\``;
      yield { path: options.pathOf(index), code: 'DUPLICATE', message: `${what}${name} stands twice` };
    } else first.set(text, index);
  }
}
