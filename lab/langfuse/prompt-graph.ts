// Prompts that contain other prompts: `@@@langfusePrompt:name=…|version=…@@@` or `|label=…`. Resolved on reading, checked
// on creating, and a version that others stand on cannot be deleted.

import type { PromptVersion } from './prompt-store.ts';

const depthMax = 5;

export interface Reference {
  readonly tag: string;
  readonly name: string;
  readonly version?: number;
  readonly label?: string;
}

export interface ResolutionGraph {
  readonly root: { readonly name: string; readonly version: number; readonly id: string };
  readonly dependencies: Record<string, { id: string; name: string; version: number }[]>;
}

/** The prompts of a project, to look references up in. */
export type Lookup = (name: string) => readonly PromptVersion[];

export function referencesOf(prompt: unknown): Reference[] {
  const references: Reference[] = [];
  for (const [tag, inner] of JSON.stringify(prompt).matchAll(/@@@langfusePrompt:(.*?)@@@/g)) {
    const parts = (inner ?? '').split('|');
    const [first, second] = parts;
    if (parts.length !== 2 || !first?.startsWith('name=') || second === undefined) continue;
    const name = first.slice('name='.length);
    if (second.startsWith('version=')) references.push({ tag, name, version: Number(second.slice(8)) });
    else if (second.startsWith('label=')) references.push({ tag, name, label: second.slice(6) });
  }
  return references;
}

type Resolvable = Pick<PromptVersion, 'id' | 'name' | 'version' | 'prompt'>;

/** The prompt with its references filled in; throws an Error with the server's message when that is impossible. */
export function resolvePrompt(root: Resolvable, lookup: Lookup): { prompt: unknown; graph: ResolutionGraph | null } {
  const dependencies: ResolutionGraph['dependencies'] = {};
  const seen = new Set<string>();
  const resolve = (current: Resolvable, level: number): unknown => {
    if (level >= depthMax) throw new Error(`Maximum nesting depth exceeded (${depthMax})`);
    if (seen.has(current.id) || (current.name === root.name && current.id !== root.id)) {
      throw new Error(`Circular dependency detected involving prompt '${current.name}' version ${current.version}`);
    }
    seen.add(current.id);
    let text = JSON.stringify(current.prompt);
    for (const reference of referencesOf(current.prompt)) {
      const child = childOf(reference, lookup);
      (dependencies[current.id] ??= []).push({ id: child.id, name: child.name, version: child.version });
      const inner = JSON.stringify(resolve(child, level + 1)).slice(1, -1);
      text = text.replaceAll(reference.tag, () => inner);
    }
    seen.delete(current.id);
    return JSON.parse(text);
  };
  const prompt = resolve(root, 0);
  const { id, name, version } = root;
  return { prompt, graph: Object.keys(dependencies).length > 0 ? { root: { name, version, id }, dependencies } : null };
}

function childOf(reference: Reference, lookup: Lookup): PromptVersion {
  const wanted = `${reference.name} - ${reference.label === undefined ? `version ${reference.version}` : `label ${reference.label}`}`;
  const child = lookup(reference.name).find((candidate) => pointsAt(reference, candidate));
  if (!child) throw new Error(`Prompt dependency not found: ${wanted}`);
  if (child.type !== 'text') throw new Error(`Prompt dependency is not a text prompt: ${wanted}`);
  return child;
}

function pointsAt(reference: Reference, version: PromptVersion): boolean {
  if (reference.name !== version.name) return false;
  if (reference.label !== undefined) return version.labels.includes(reference.label);
  return reference.version === version.version;
}

/** Messages about prompts that would break if `going` were deleted and only `staying` remained of its name. */
export function dependentsOf(
  going: readonly PromptVersion[],
  world: { staying: readonly PromptVersion[]; all: readonly PromptVersion[] },
): string[] {
  const messages: string[] = [];
  for (const parent of world.all) {
    for (const reference of referencesOf(parent.prompt)) {
      const breaks =
        going.some((version) => pointsAt(reference, version)) &&
        !world.staying.some((version) => pointsAt(reference, version));
      if (!breaks) continue;
      const what = reference.label ?? `v${reference.version}`;
      messages.push(`${parent.name} v${parent.version} depends on ${reference.name} ${what}`);
    }
  }
  return messages;
}
