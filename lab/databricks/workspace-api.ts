// Workspace API 2.0: list, get-status, export, import, mkdirs, delete. One directory a call, content in base64, 10 MB a
// notebook, and a parent that must exist. Reference: docs.databricks.com/api/workspace/workspace.

import { requiredQuery, requiredText, type ApiCall, type Operations } from './api.ts';
import { alreadyExists, ApiError, invalid, missing } from './errors.ts';
import type { WorkspaceObject } from './store.ts';

const contentBytesMax = 10 * 1024 * 1024;
const formats = ['SOURCE', 'HTML', 'JUPYTER', 'DBC', 'R_MARKDOWN', 'AUTO', 'RAW'];
const languages: Readonly<Record<string, { extension: string; comment: string }>> = {
  PYTHON: { extension: 'py', comment: '#' },
  SQL: { extension: 'sql', comment: '--' },
  SCALA: { extension: 'scala', comment: '//' },
  R: { extension: 'r', comment: '#' },
};
/** They are there in every workspace. */
export const foundingDirectories = ['/', '/Shared', '/Users', '/Repos'];

export const workspaceOperations: Operations = {
  'GET /api/2.0/workspace/list': list,
  'GET /api/2.0/workspace/get-status': (call) => shown(existing(call, pathOf(requiredQuery(call.query, 'path')))),
  'GET /api/2.0/workspace/export': exportObject,
  'POST /api/2.0/workspace/import': importObject,
  'POST /api/2.0/workspace/mkdirs': mkdirs,
  'POST /api/2.0/workspace/delete': remove,
};

function list(call: ApiCall): unknown {
  const object = existing(call, pathOf(requiredQuery(call.query, 'path')));
  if (object.type !== 'DIRECTORY') return { objects: [shown(object)] };
  const children = call.store.objects().filter((other) => other.path !== '/' && parentOf(other.path) === object.path);
  // An empty directory has no `objects` at all.
  return children.length === 0 ? {} : { objects: children.map(shown) };
}

function exportObject(call: ApiCall): unknown {
  const object = existing(call, pathOf(requiredQuery(call.query, 'path')));
  const format = call.query.get('format') ?? 'SOURCE';
  if (!formats.includes(format)) throw invalid(`Invalid format: ${format}`);
  if (object.type === 'DIRECTORY') throw new ApiError(400, 'BAD_REQUEST', 'Only DBC format is supported for folders.');
  if (format !== 'SOURCE' && format !== 'AUTO') {
    throw new ApiError(501, 'NOT_IMPLEMENTED', `This simulated workspace exports no ${format}`);
  }
  const content = object.type === 'NOTEBOOK' ? withHeader(object) : Buffer.from(object.content);
  if (content.length > contentBytesMax) throw tooLarge();
  const extension = languages[object.language ?? '']?.extension;
  return { content: content.toString('base64'), ...(extension === undefined ? {} : { file_type: extension }) };
}

function importObject(call: ApiCall): unknown {
  const { body, store, clock } = call;
  const path = pathOf(requiredText(body, 'path'));
  const format = body['format'] ?? 'SOURCE';
  if (typeof format !== 'string' || !formats.includes(format))
    throw invalid(`Invalid format: ${JSON.stringify(format)}`);
  if (format !== 'SOURCE' && format !== 'AUTO') {
    throw new ApiError(501, 'NOT_IMPLEMENTED', `This simulated workspace imports no ${format}`);
  }
  const content = contentOf(body['content']);
  const parent = parentOf(path);
  if (store.object(parent)?.type !== 'DIRECTORY') throw missing(`The parent folder (${parent}) does not exist.`);
  const before = store.object(path);
  if (before?.type === 'DIRECTORY') throw alreadyExists(`Path (${path}) already exists and is a folder.`);
  if (before && body['overwrite'] !== true) throw alreadyExists(`Path (${path}) already exists.`);
  const kind = kindOf(content, { format, language: body['language'], path });
  store.putObject({
    path,
    objectId: before?.objectId ?? store.idOf('object', store.nextOrdinal()),
    ...kind,
    createdAt: before?.createdAt ?? clock.wallMs(),
    modifiedAt: clock.wallMs(),
  });
  call.effect(kind.type === 'NOTEBOOK' ? 'notebook-imported' : 'file-imported', path, { bytes: content.length });
  return {};
}

function contentOf(value: unknown): Buffer {
  if (value !== undefined && typeof value !== 'string') throw invalid('content must be a base64 string');
  const text = value ?? '';
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) throw invalid('content is not valid base64');
  const content = Buffer.from(text, 'base64');
  if (content.length > contentBytesMax) throw tooLarge();
  return content;
}

/** SOURCE makes a notebook of the declared language; AUTO makes one only of a file with the notebook header. */
function kindOf(
  content: Buffer,
  options: { format: string; language: unknown; path: string },
): Pick<WorkspaceObject, 'type' | 'language' | 'content'> {
  const { format, language } = options;
  if (format === 'SOURCE') {
    if (typeof language !== 'string') throw invalid('language is required for the SOURCE format');
    if (!languages[language]) throw invalid(`Invalid language: ${language}`);
    return { type: 'NOTEBOOK', language, content: withoutHeader(content, language) };
  }
  const extension = /\.(\w+)$/.exec(options.path)?.[1]?.toLowerCase();
  const guessed = Object.entries(languages).find(([, known]) => known.extension === extension)?.[0];
  const header = guessed === undefined ? undefined : headerOf(guessed);
  if (guessed === undefined || header === undefined || !content.subarray(0, header.length).equals(header)) {
    return { type: 'FILE', language: null, content };
  }
  return { type: 'NOTEBOOK', language: guessed, content: withoutHeader(content, guessed) };
}

/** A notebook exported as source begins with a comment that is no part of its cells. */
function headerOf(language: string): Buffer {
  return Buffer.from(`${languages[language]?.comment} Databricks notebook source\n`);
}

function withoutHeader(content: Buffer, language: string): Buffer {
  const header = headerOf(language);
  return content.subarray(0, header.length).equals(header) ? content.subarray(header.length) : content;
}

function withHeader(object: WorkspaceObject): Buffer {
  return Buffer.concat([headerOf(object.language ?? 'PYTHON'), object.content]);
}

function mkdirs(call: ApiCall): unknown {
  const { store, clock } = call;
  const path = pathOf(requiredText(call.body, 'path'));
  const missingDirectories: string[] = [];
  for (let current = path; ; current = parentOf(current)) {
    const object = store.object(current);
    if (object && object.type !== 'DIRECTORY')
      throw alreadyExists(`Path (${current}) already exists and is no folder.`);
    if (object) break;
    missingDirectories.unshift(current);
  }
  for (const directory of missingDirectories) {
    makeDirectory(call.store, directory, clock.wallMs());
    call.effect('directory-created', directory);
  }
  return {};
}

export function makeDirectory(store: ApiCall['store'], path: string, atMs: number): void {
  store.putObject({
    path,
    objectId: store.idOf('object', store.nextOrdinal()),
    type: 'DIRECTORY',
    language: null,
    content: new Uint8Array(),
    createdAt: atMs,
    modifiedAt: atMs,
  });
}

function remove(call: ApiCall): unknown {
  const object = existing(call, pathOf(requiredText(call.body, 'path')));
  if (foundingDirectories.includes(object.path)) {
    throw new ApiError(400, 'BAD_REQUEST', `Folder (${object.path}) is protected`);
  }
  const below = call.store.objects().filter((other) => other.path.startsWith(`${object.path}/`));
  if (below.length > 0 && call.body['recursive'] !== true) {
    throw new ApiError(400, 'DIRECTORY_NOT_EMPTY', `Folder (${object.path}) is not empty`);
  }
  for (const gone of [...below, object]) {
    call.store.deleteObject(gone.path);
    call.effect(gone.type === 'NOTEBOOK' ? 'notebook-deleted' : 'object-deleted', gone.path);
  }
  return {};
}

function existing(call: ApiCall, path: string): WorkspaceObject {
  const object = call.store.object(path);
  if (!object) throw missing(`Path (${path}) doesn't exist.`);
  return object;
}

/** Paths are absolute; `/Workspace/x` is another name of `/x`. */
function pathOf(given: string): string {
  if (!given.startsWith('/')) throw invalid(`Path (${given}) doesn't start with '/'`);
  const path = given.replace(/\/+$/, '').replace(/^\/Workspace(?=\/|$)/, '');
  return path === '' ? '/' : path;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function tooLarge(): ApiError {
  return new ApiError(400, 'MAX_NOTEBOOK_SIZE_EXCEEDED', `Content exceeds the limit of ${contentBytesMax} bytes`);
}

function shown(object: WorkspaceObject): unknown {
  return {
    object_type: object.type,
    path: object.path,
    object_id: BigInt(object.objectId),
    ...(object.type === 'DIRECTORY' ? {} : { created_at: object.createdAt, modified_at: object.modifiedAt }),
    ...(object.language === null ? {} : { language: object.language }),
  };
}
