// The prompts API, version 2: create, read by version or label, list, move labels, delete.

import type { z } from 'zod';
import type { VendorCall } from '../kit/mod.ts';
import { dependentsOf, resolvePrompt } from './prompt-graph.ts';
import { createPromptSchema, listPromptsSchema, patchPromptSchema, pickPromptSchema } from './prompt-schema.ts';
import type { PromptStore, PromptVersion } from './prompt-store.ts';
import { invalidData, invalidRequest, notFound } from './reply.ts';

export interface PromptsOf {
  readonly projectId: string;
  readonly store: PromptStore;
}

/** Validates or throws what Langfuse answers to a bad body or query. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidData(parsed.error);
  return parsed.data;
}

export function createPrompt(body: unknown, from: PromptsOf, call: VendorCall): PromptVersion {
  const request = checked(createPromptSchema, body);
  const newest = from.store.versions(from.projectId, request.name).at(-1);
  if (newest && newest.type !== (request.type ?? 'text')) {
    throw invalidRequest('Previous versions have different prompt type. Create a new prompt with a different name.');
  }
  try {
    resolvePrompt(
      { id: 'new', name: request.name, version: (newest?.version ?? 0) + 1, prompt: request.prompt },
      (name) => from.store.versions(from.projectId, name),
    );
  } catch (error) {
    throw invalidRequest(error instanceof Error ? error.message : 'Failed to resolve dependency graph');
  }
  const created = from.store.create(from.projectId, request);
  call.effect('prompt-created', `${created.name}@${created.version}`, { labels: created.labels });
  return created;
}

/** One version, by default the one labelled `production`, with its references filled in unless `resolve=false`. */
export function readPrompt(name: string, query: URLSearchParams, from: PromptsOf): unknown {
  const pick = checked(pickPromptSchema, Object.fromEntries(query));
  if (pick.version && pick.label) throw invalidRequest('Cannot specify both version and label');
  const label = pick.label ?? 'production';
  const found = from.store
    .versions(from.projectId, name)
    .find((version) => (pick.version ? version.version === pick.version : version.labels.includes(label)));
  if (!found) {
    throw notFound(`Prompt not found: '${name}' with ${pick.version ? `version ${pick.version}` : `label '${label}'`}`);
  }
  const view = { ...found, isActive: found.labels.includes('production') };
  if (pick.resolve === 'false') return { ...view, resolutionGraph: null };
  const { prompt, graph } = resolvePrompt(found, (child) => from.store.versions(from.projectId, child));
  return { ...view, prompt, resolutionGraph: graph };
}

export function listPrompts(query: URLSearchParams, from: PromptsOf): unknown {
  const ask = checked(listPromptsSchema, Object.fromEntries(query));
  const byName = new Map<string, PromptVersion[]>();
  for (const version of from.store.versions(from.projectId, ask.name)) {
    if (ask.version && version.version !== ask.version) continue;
    if (ask.label && !version.labels.includes(ask.label)) continue;
    if (ask.tag && !version.tags.includes(ask.tag)) continue;
    const updatedMs = Date.parse(version.updatedAt);
    if (ask.fromUpdatedAt && updatedMs < Date.parse(ask.fromUpdatedAt)) continue;
    if (ask.toUpdatedAt && updatedMs >= Date.parse(ask.toUpdatedAt)) continue;
    byName.set(version.name, [...(byName.get(version.name) ?? []), version]);
  }
  const metas = [...byName].map(([name, versions]) => metaOf(name, versions));
  const totals = {
    page: ask.page,
    limit: ask.limit,
    totalPages: Math.ceil(metas.length / ask.limit),
    totalItems: metas.length,
  };
  return {
    data: metas.slice((ask.page - 1) * ask.limit, ask.page * ask.limit),
    meta: totals,
    pagination: totals,
  };
}

function metaOf(name: string, versions: readonly PromptVersion[]): unknown {
  const newest = versions.at(-1);
  return {
    name,
    tags: newest?.tags ?? [],
    lastUpdatedAt: versions
      .map(({ updatedAt }) => updatedAt)
      .toSorted()
      .at(-1),
    versions: versions.map(({ version }) => version),
    labels: [...new Set(versions.flatMap(({ labels }) => labels))].toSorted(),
    type: newest?.type,
    lastConfig: newest?.config,
  };
}

export function patchLabels(
  at: { name: string; version: string },
  { body, from, call }: { body: unknown; from: PromptsOf; call: VendorCall },
): PromptVersion {
  const { newLabels } = checked(patchPromptSchema, body);
  const target = from.store.versions(from.projectId, at.name).find((version) => version.version === Number(at.version));
  if (!target) throw notFound(`Prompt not found: ${at.name}`);
  const updated = from.store.addLabels(target, newLabels);
  call.effect('prompt-labelled', `${at.name}@${at.version}`, { labels: newLabels });
  return updated;
}

/** One version, all with a label, or the whole prompt; refused while another prompt stands on what would go. */
export function deletePrompt(name: string, from: PromptsOf, call: VendorCall): void {
  const pick = checked(pickPromptSchema, Object.fromEntries(call.url.searchParams));
  if (pick.version && pick.label) throw invalidRequest('Cannot specify both version and label');
  const versions = from.store.versions(from.projectId, name);
  const going = versions.filter(
    (version) =>
      (!pick.version || version.version === pick.version) && (!pick.label || version.labels.includes(pick.label)),
  );
  if (going.length === 0) throw notFound('Prompt not found');
  const staying = versions.filter((version) => !going.includes(version));
  const dependents = dependentsOf(going, { staying, all: from.store.versions(from.projectId) });
  if (dependents.length > 0) {
    throw invalidRequest(
      'Other prompts are depending on prompt versions you are trying to delete:\n\n' +
        `${dependents.join('\n')}\n\nPlease delete the dependent prompts first.`,
    );
  }
  from.store.delete(going);
  for (const { version } of going) call.effect('prompt-deleted', `${name}@${version}`);
}
