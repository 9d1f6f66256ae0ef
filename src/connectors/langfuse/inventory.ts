// What prompts a site has: each version by its content, each name by its labels and tags. A name whose change marker
// (`lastUpdatedAt`) and version numbers stand still is not read again, so a quiet cycle costs one listing.

import type { Clock, Site } from '#base';
import { digestOf } from '#base';
import type { Artifact, Inventory, ReadContext } from '../port.ts';
import type { SiteClient } from './client.ts';
import { contentDigest, contentOf, isPlaceholder, standingOf, versionKey, type PromptVersion } from './prompt-form.ts';
import { listNames, readVersion, type PromptName } from './prompt-reader.ts';

/** The marker has a precision and the clocks differ: a name changed this recently is read again. */
const quietMs = 60_000;
const readsAtOnce = 4;

interface Remembered {
  readonly marker: string;
  readonly artifacts: readonly Artifact[];
}

/** What one site's names looked like when they were last read; nothing is lost when it is forgotten. */
export class PromptMemory {
  readonly #names = new Map<string, Remembered>();

  recall(name: PromptName): readonly Artifact[] | undefined {
    const remembered = this.#names.get(name.name);
    return remembered?.marker === markerOf(name) ? remembered.artifacts : undefined;
  }

  keep(name: PromptName, artifacts: readonly Artifact[], readAtMs: number): void {
    if (readAtMs - Date.parse(name.lastUpdatedAt) > quietMs) {
      this.#names.set(name.name, { marker: markerOf(name), artifacts });
    }
  }

  /** Keeps the memory as small as the site. */
  forgetOthers(names: readonly PromptName[]): void {
    const present = new Set(names.map(({ name }) => name));
    for (const name of this.#names.keys()) if (!present.has(name)) this.#names.delete(name);
  }
}

function markerOf(name: PromptName): string {
  return `${name.lastUpdatedAt} ${name.versions.join(',')}`;
}

export interface InventoryParts {
  readonly client: SiteClient;
  readonly clock: Clock;
  readonly memory: PromptMemory;
  readonly dependency: string;
}

export async function takeInventory(site: Site, context: ReadContext, parts: InventoryParts): Promise<Inventory> {
  const startedAtMs = parts.clock.wallMs();
  const names = await listNames(parts.client, context);
  parts.memory.forgetOthers(names);
  const perName: (readonly Artifact[])[] = Array.from({ length: names.length }, () => []);
  let next = 0;
  const reader = async (): Promise<void> => {
    for (let index = next++; index < names.length; index = next++) {
      const name = names[index];
      if (name) perName[index] = parts.memory.recall(name) ?? (await readName(name, context, parts));
    }
  };
  await Promise.all(Array.from({ length: readsAtOnce }, reader));
  return { site, dependency: parts.dependency, startedAtMs, artifacts: perName.flat(), twins: [] };
}

async function readName(name: PromptName, context: ReadContext, parts: InventoryParts): Promise<readonly Artifact[]> {
  const readAtMs = parts.clock.wallMs();
  const versions: PromptVersion[] = [];
  for (const version of name.versions) {
    const read = await readVersion(parts.client, context, { name: name.name, version });
    if (read) versions.push(read);
  }
  const artifacts = versions.length === 0 ? [] : artifactsOf(name.name, versions);
  if (versions.length === name.versions.length) parts.memory.keep(name, artifacts, readAtMs);
  return artifacts;
}

function artifactsOf(name: string, versions: readonly PromptVersion[]): Artifact[] {
  const standing = standingOf(versions);
  return [
    ...versions
      .filter((version) => !isPlaceholder(version))
      .map((version): Artifact => ({
        kind: 'prompt-version',
        key: versionKey(name, version.version),
        digest: contentDigest(version),
        class: 'carried',
        view: { ...contentOf(version) },
      })),
    { kind: 'prompt-labels', key: name, digest: digestOf(standing), class: 'carried', view: { ...standing } },
  ];
}
