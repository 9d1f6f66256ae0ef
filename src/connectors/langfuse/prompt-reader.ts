// Reading prompts: names page by page, versions raw. Replies are checked before anything trusts them.

import type { z } from 'zod';
import { Failure } from '#base';
import type { ReadContext } from '../port.ts';
import type { SiteClient } from './client.ts';
import { unexpected } from './failures.ts';
import { promptListSchema, promptSchema, type PromptVersion } from './prompt-form.ts';

/** One name with its version numbers, ascending. */
export interface PromptName {
  readonly name: string;
  readonly versions: readonly number[];
  readonly lastUpdatedAt: string;
}

const namesPerPage = 100; // the server's own bound
const pagesMax = 10_000;

/** All names, or the one asked for. */
export async function listNames(client: SiteClient, context: ReadContext, name?: string): Promise<PromptName[]> {
  const what = name === undefined ? 'the list of prompts' : `the versions of prompt ${name}`;
  const found = new Map<string, PromptName>();
  for (let page = 1; page <= pagesMax; page++) {
    const reply = await client.json({
      what,
      method: 'GET',
      path: '/api/public/v2/prompts',
      query: { page, limit: namesPerPage, name },
      deadlineMs: client.limits.readDeadlineMs,
      context,
    });
    const { data, meta } = parsed(promptListSchema, reply, { client, what });
    // A name may come twice while its tags are being changed (the server groups by both): its versions belong together.
    for (const row of data) {
      const before = found.get(row.name);
      const versions = [...new Set([...(before?.versions ?? []), ...row.versions])].toSorted((a, b) => a - b);
      const lastUpdatedAt = [before?.lastUpdatedAt ?? '', row.lastUpdatedAt].toSorted().at(-1) ?? '';
      found.set(row.name, { name: row.name, versions, lastUpdatedAt });
    }
    if (page >= meta.totalPages) return [...found.values()].filter((row) => name === undefined || row.name === name);
  }
  throw unexpected(client.url, what, `more than ${pagesMax} pages`);
}

/** Version numbers of one name, ascending; empty when there is no such prompt. */
export async function versionNumbers(client: SiteClient, context: ReadContext, name: string): Promise<number[]> {
  return [...((await listNames(client, context, name))[0]?.versions ?? [])];
}

/** One version as written, or undefined when it does not exist. */
export async function readVersion(
  client: SiteClient,
  context: ReadContext,
  at: { name: string; version: number },
): Promise<PromptVersion | undefined> {
  const what = `prompt ${at.name} version ${at.version}`;
  try {
    const reply = await client.json({
      what,
      method: 'GET',
      path: promptPath(at.name),
      query: { version: at.version, resolve: false },
      deadlineMs: client.limits.readDeadlineMs,
      context,
    });
    return parsed(promptSchema, reply, { client, what });
  } catch (error) {
    if (error instanceof Failure && error.code === 'LANGFUSE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** All versions of one name, ascending, placeholders among them. A version deleted meanwhile is left out. */
export async function readVersions(client: SiteClient, context: ReadContext, name: string): Promise<PromptVersion[]> {
  const versions: PromptVersion[] = [];
  for (const version of await versionNumbers(client, context, name)) {
    const read = await readVersion(client, context, { name, version });
    if (read) versions.push(read);
  }
  return versions;
}

/** A `/` in a name must be encoded, or the server looks for another route. */
export function promptPath(name: string): string {
  return `/api/public/v2/prompts/${encodeURIComponent(name)}`;
}

export function parsed<T>(schema: z.ZodType<T>, reply: unknown, at: { client: SiteClient; what: string }): T {
  const result = schema.safeParse(reply);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw unexpected(at.client.url, at.what, `${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'not JSON'}`);
}
