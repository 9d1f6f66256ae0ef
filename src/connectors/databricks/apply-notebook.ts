// Brings one notebook to the following site, and removes one that is no longer wanted there.

import { actIfPresent, notCarried, sourceGone, stillWanted, type Move } from './move.ts';
import { assertBelowRoots, entryAt, importBody, parentOf, workspacePath } from './notebooks.ts';
import { readEntry } from './read.ts';

export async function bringNotebook(move: Move, path: string): Promise<void> {
  const { from, to, context } = move;
  assertBelowRoots(path, move.notebookRoots);
  const source = await entryAt(from.client, path, context);
  const wanted = source && (await readEntry(from, source, context));
  if (!wanted) throw sourceGone(move, `notebook ${path}`);
  if (!wanted.neutral) throw notCarried(`notebook ${path}`, wanted.artifact.reason);
  const entry = await entryAt(to.client, path, context);
  const present = entry && (await readEntry(to, entry, context));
  if (present?.artifact.digest === wanted.artifact.digest) return;
  if (!entry) {
    await to.client.act(`${workspacePath}/mkdirs`, { path: parentOf(path) }, context, { idempotent: true });
  }
  await to.client.act(`${workspacePath}/import`, importBody(path, wanted.neutral, to), context, { idempotent: true });
}

export async function deleteNotebook(move: Move, path: string): Promise<void> {
  const { from, to, context } = move;
  assertBelowRoots(path, move.notebookRoots);
  if (await entryAt(from.client, path, context)) throw stillWanted(move, `notebook ${path}`);
  const entry = await entryAt(to.client, path, context);
  if (entry?.type === 'NOTEBOOK') await actIfPresent(move, `${workspacePath}/delete`, { path, recursive: false });
}
