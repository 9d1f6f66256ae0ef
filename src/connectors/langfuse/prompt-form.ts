// A prompt version in its region-neutral form, the placeholder that fills a gap in the numbering, and the references
// that prompts make to each other. Pure.

import { z } from 'zod';
import { canonicalJson, digestOf } from '#base';

/** A version as the server gives it with `resolve=false`: references stand in it as written. */
export const promptSchema = z.object({
  name: z.string(),
  version: z.int().min(1),
  type: z.enum(['text', 'chat']),
  prompt: z.union([z.string(), z.array(z.record(z.string(), z.unknown()))]),
  config: z.unknown(),
  labels: z.array(z.string()),
  tags: z.array(z.string()).default([]),
  commitMessage: z.string().nullish(),
});
export type PromptVersion = z.infer<typeof promptSchema>;

export const promptListSchema = z.object({
  data: z.array(
    z.object({ name: z.string(), versions: z.array(z.int()), lastUpdatedAt: z.string(), tags: z.array(z.string()) }),
  ),
  meta: z.object({ page: z.int(), totalPages: z.int() }),
});

/** What never changes about a version. Labels and tags belong to the name and are compared there. */
export interface PromptContent {
  readonly type: 'text' | 'chat';
  readonly prompt: PromptVersion['prompt'];
  readonly config: unknown;
  readonly commitMessage: string | null;
}

export function contentOf(version: PromptVersion): PromptContent {
  return {
    type: version.type,
    prompt: version.prompt,
    config: version.config ?? {},
    commitMessage: version.commitMessage ?? null,
  };
}

export function contentDigest(version: PromptVersion): string {
  return digestOf(contentOf(version));
}

/** What belongs to the name: which label points where (`latest` is the server's own), and the tags. */
export interface PromptStanding {
  readonly labels: Readonly<Record<string, number>>;
  readonly tags: readonly string[];
  /** Placeholders that a killed sync left behind; absent when there are none, so that a clean name compares equal. */
  readonly placeholders?: readonly number[];
}

export function standingOf(versions: readonly PromptVersion[]): PromptStanding {
  const labels: Record<string, number> = {};
  for (const { labels: own, version } of versions) {
    for (const label of own) if (label !== 'latest') labels[label] = version;
  }
  const placeholders = versions.filter(isPlaceholder).map(({ version }) => version);
  const tags = [...new Set(versions.at(-1)?.tags)].toSorted();
  return { labels, tags, ...(placeholders.length > 0 ? { placeholders } : {}) };
}

const placeholderMessage = 'understudy: placeholder that keeps a version number, to be deleted';
const placeholderConfig = { understudy: 'placeholder' };

/** Content that is recognised as ours wherever it is found. */
export function placeholderContent(type: 'text' | 'chat'): PromptContent {
  const text = 'This version was deleted at the other site.';
  return {
    type,
    prompt: type === 'text' ? text : [{ role: 'system', content: text }],
    config: placeholderConfig,
    commitMessage: placeholderMessage,
  };
}

export function isPlaceholder(version: PromptVersion): boolean {
  return (
    version.commitMessage === placeholderMessage && canonicalJson(version.config) === canonicalJson(placeholderConfig)
  );
}

export type PromptReference =
  { readonly name: string; readonly version: number } | { readonly name: string; readonly label: string };

/** `@@@langfusePrompt:name=…|version=…@@@` and `…|label=…@@@`, in the order they stand. */
export function referencesOf(version: PromptVersion): PromptReference[] {
  const references: PromptReference[] = [];
  const pattern = /@@@langfusePrompt:name=([^|@]+)\|(version|label)=([^|@]+)@@@/g;
  for (const [, name = '', by, value = ''] of JSON.stringify(version.prompt).matchAll(pattern)) {
    references.push(by === 'version' ? { name, version: Number(value) } : { name, label: value });
  }
  return references;
}

/** `greet@3`; names may contain `@`, so the last one counts. */
export function versionKey(name: string, version: number): string {
  return `${name}@${version}`;
}

export function parseVersionKey(key: string): { name: string; version: number } | undefined {
  const match = /^(.+)@([1-9]\d*)$/s.exec(key);
  return match ? { name: match[1] ?? '', version: Number(match[2]) } : undefined;
}
