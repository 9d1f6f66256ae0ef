// Notebooks of one workspace: the tree below the declared roots, listed one directory a call, and their source text.

import { isUtf8 } from 'node:buffer';
import { Failure, sha256, type Site } from '#base';
import type { ReadContext } from '../port.ts';
import type { DatabricksClient } from './client.ts';
import { errorCodeOf, saysMissing } from './failures.ts';
import { listOf, textOf, wrongReply, type Members } from './json.ts';
import type { RegionMap } from './region-map.ts';

export const workspacePath = '/api/2.0/workspace';
/** Deeper trees are a loop or not notebooks. */
const directoriesMax = 20_000;

export interface WorkspaceEntry {
  readonly path: string;
  /** NOTEBOOK, FILE, LIBRARY, REPO, DASHBOARD … */
  readonly type: string;
  readonly language: string | undefined;
}

/** Everything below the roots that is no directory. A root that does not exist holds nothing. */
export async function listTree(
  client: DatabricksClient,
  roots: readonly string[],
  context: ReadContext,
): Promise<WorkspaceEntry[]> {
  const entries = new Map<string, WorkspaceEntry>();
  const open = [...roots];
  const seen = new Set<string>();
  while (open.length > 0) {
    const path = open.shift() ?? '/';
    if (seen.has(path)) continue;
    seen.add(path);
    if (seen.size > directoriesMax)
      throw wrongReply(`more than ${directoriesMax} directories below the notebook roots`);
    for (const object of await listDirectory(client, path, context)) {
      const entry = entryOf(object);
      if (entry.type === 'DIRECTORY') open.push(entry.path);
      else entries.set(entry.path, entry);
    }
  }
  return [...entries.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function listDirectory(client: DatabricksClient, path: string, context: ReadContext): Promise<Members[]> {
  try {
    return listOf((await client.get(`${workspacePath}/list`, { path }, context))['objects'], 'objects');
  } catch (error) {
    if (saysMissing(error)) return [];
    throw error;
  }
}

function entryOf(object: Members): WorkspaceEntry {
  const language = object['language'];
  return {
    path: textOf(object['path'], 'path of an object'),
    type: textOf(object['object_type'], 'object_type'),
    language: typeof language === 'string' ? language : undefined,
  };
}

/** The entry at a path, or undefined. */
export async function entryAt(
  client: DatabricksClient,
  path: string,
  context: ReadContext,
): Promise<WorkspaceEntry | undefined> {
  try {
    return entryOf(await client.get(`${workspacePath}/get-status`, { path }, context));
  } catch (error) {
    if (saysMissing(error)) return undefined;
    throw error;
  }
}

export type NotebookContent =
  | { readonly kind: 'text'; readonly language: string; readonly text: string }
  | { readonly kind: 'gone' }
  /** It exists and cannot be carried. */
  | { readonly kind: 'not-carried'; readonly reason: string };

export async function readNotebook(
  client: DatabricksClient,
  entry: WorkspaceEntry,
  context: ReadContext,
): Promise<NotebookContent> {
  if (entry.type !== 'NOTEBOOK')
    return { kind: 'not-carried', reason: `it is a ${entry.type}; only notebooks are carried` };
  if (entry.language === undefined) return { kind: 'not-carried', reason: 'it has no language' };
  try {
    const answer = await client.get(`${workspacePath}/export`, { path: entry.path, format: 'SOURCE' }, context);
    const bytes = Buffer.from(textOf(answer['content'] ?? '', 'content of a notebook'), 'base64');
    if (!isUtf8(bytes)) return { kind: 'not-carried', reason: 'its source is not UTF-8 text' };
    return { kind: 'text', language: entry.language, text: bytes.toString('utf8') };
  } catch (error) {
    if (saysMissing(error)) return { kind: 'gone' };
    if (errorCodeOf(error) === 'MAX_NOTEBOOK_SIZE_EXCEEDED') {
      return { kind: 'not-carried', reason: 'it is larger than the 10 MB that Databricks exports' };
    }
    throw error;
  }
}

/** What is compared: language and the source with the region's own texts replaced. */
export function neutralNotebook(
  content: NotebookContent & { kind: 'text' },
  around: { site: Site; map: RegionMap },
): { language: string; text: string } {
  return { language: content.language, text: around.map.toNeutral(around.site, content.text) };
}

export function notebookView(neutral: { language: string; text: string }): Readonly<Record<string, unknown>> {
  return { language: neutral.language, lines: neutral.text.split('\n').length, sha256: sha256(neutral.text) };
}

export function importBody(
  path: string,
  neutral: { language: string; text: string },
  around: { site: Site; map: RegionMap },
): Members {
  return {
    path,
    format: 'SOURCE',
    language: neutral.language,
    overwrite: true,
    content: Buffer.from(around.map.toSite(around.site, neutral.text)).toString('base64'),
  };
}

/** The directory a path lies in. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** Refuses a path outside the declared roots: nothing else is ours to write. */
export function assertBelowRoots(path: string, roots: readonly string[]): void {
  const below = roots.some(
    (root) => path === root || path.startsWith(root === '/' ? '/' : `${root.replace(/\/+$/, '')}/`),
  );
  if (below) return;
  throw new Failure('DATABRICKS_OUTSIDE_ROOTS', `${path} lies outside the notebook roots of the stamp`, {
    hint: 'add its folder to notebookRoots',
  });
}
