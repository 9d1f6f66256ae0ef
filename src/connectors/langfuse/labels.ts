// What belongs to a prompt's name: labels and tags. The API only ever adds labels to a version (which moves them) and
// sets tags with a new version, so what must go is swept onto a placeholder version that is deleted right after.

import { codeOf, describeError, Failure } from '#base';
import type { Carriage } from './apply.ts';
import {
  contentDigest,
  isPlaceholder,
  placeholderContent,
  standingOf,
  versionKey,
  type PromptVersion,
} from './prompt-form.ts';
import { readVersions } from './prompt-reader.ts';
import { addLabels, conflict, createVersion, deleteVersion } from './prompt-writer.ts';

/** Makes labels and tags of one name at the target what they are at the source. */
export async function alignStanding(carriage: Carriage, name: string): Promise<void> {
  const { from, to, context } = carriage;
  const source = (await readVersions(from, context, name)).filter((version) => !isPlaceholder(version));
  if (source.length === 0) return;
  await removePlaceholders(carriage, name);
  const target = await readVersions(to, context, name);
  const wanted = standingOf(source);
  for (const [version, labels] of missingLabels(wanted.labels, target)) {
    requireSameVersion(name, version, { source, target });
    await addLabels(to, context, { name, version, labels });
  }
  const surplus = Object.entries(standingOf(target).labels).filter(([label]) => !(label in wanted.labels));
  const tagsDiffer = standingOf(target).tags.join('\n') !== wanted.tags.join('\n');
  if (surplus.length > 0 || tagsDiffer) await sweep(carriage, { name, target, surplus, tags: wanted.tags });
}

/** Versions at the target, each with the labels it must be given. */
function missingLabels(
  wanted: Readonly<Record<string, number>>,
  target: readonly PromptVersion[],
): Map<number, string[]> {
  const missing = new Map<number, string[]>();
  const now = standingOf(target).labels;
  for (const [label, version] of Object.entries(wanted)) {
    if (now[label] !== version) missing.set(version, [...(missing.get(version) ?? []), label]);
  }
  return missing;
}

/** A label must never end on another content than the one it stands on at the source. */
function requireSameVersion(
  name: string,
  version: number,
  { source, target }: { source: readonly PromptVersion[]; target: readonly PromptVersion[] },
): void {
  const here = source.find((candidate) => candidate.version === version);
  const there = target.find((candidate) => candidate.version === version);
  if (!there) {
    throw new Failure('PROMPT_VERSION_MISSING', `prompt ${versionKey(name, version)} is not there yet to be labelled`, {
      next: 'retry',
      hint: 'carry the version first',
    });
  }
  if (here && contentDigest(here) !== contentDigest(there)) {
    throw conflict({ name, version }, 'a label would end on another content there');
  }
}

interface Sweep {
  readonly name: string;
  readonly target: readonly PromptVersion[];
  /** Labels that must go, with the version that has them. */
  readonly surplus: readonly (readonly [label: string, version: number])[];
  readonly tags: readonly string[];
}

async function sweep(carriage: Carriage, { name, target, surplus, tags }: Sweep): Promise<void> {
  const { to, context } = carriage;
  const newest = target.at(-1);
  if (!newest) return;
  const version = newest.version + 1;
  const content = placeholderContent(newest.type);
  await createVersion(to, context, { name, version, content, labels: surplus.map(([label]) => label), tags });
  try {
    await deleteVersion(to, context, { name, version });
  } catch (error) {
    if (codeOf(error) !== 'PROMPT_IN_USE') throw error;
    // Another prompt there stands on one of these labels: give them back before the placeholder goes.
    for (const [label, owner] of surplus) await addLabels(to, context, { name, version: owner, labels: [label] });
    await deleteVersion(to, context, { name, version });
    throw new Failure('PROMPT_IN_USE', `labels of prompt ${name} cannot be taken off: ${describeError(error)}`, {
      next: 'ask_operator',
      hint: 'a prompt that exists only in the standby contains this one by that label; delete it there',
      cause: error,
    });
  }
}

/** Deletes the placeholders of a name at the target. */
export async function removePlaceholders(carriage: Carriage, name: string): Promise<void> {
  const { to, context } = carriage;
  for (const version of await readVersions(to, context, name)) {
    if (isPlaceholder(version)) await deleteVersion(to, context, { name, version: version.version });
  }
}
