// Makes one prompt artifact at `to` equal to the one at `from`. Versions are created in ascending order, with
// placeholders where the other site has deleted a number; what they contain must be there first.

import { assert, Failure, type Site } from '#base';
import type { ActContext, Change } from '../port.ts';
import type { SiteClient } from './client.ts';
import { alignStanding, removePlaceholders } from './labels.ts';
import {
  contentDigest,
  contentOf,
  isPlaceholder,
  parseVersionKey,
  placeholderContent,
  referencesOf,
  standingOf,
  type PromptReference,
  type PromptVersion,
} from './prompt-form.ts';
import { readVersion, readVersions, versionNumbers } from './prompt-reader.ts';
import { addLabels, conflict, createVersion, deleteVersion } from './prompt-writer.ts';

/** Both ends of a change. */
export interface Carriage {
  readonly from: SiteClient;
  readonly to: SiteClient;
  readonly context: ActContext;
}

/** More missing numbers than this in a row are not a gap but another history. */
const placeholdersMax = 200;
/** The server itself refuses deeper compositions at 5. */
const depthMax = 6;

export async function applyChange(
  change: Change,
  context: ActContext,
  clients: Readonly<Record<Site, SiteClient>>,
): Promise<void> {
  const carriage = { from: clients[change.from], to: clients[change.to], context };
  const gone = change.action === 'delete';
  if (change.kind === 'prompt-labels') {
    return gone ? removePlaceholders(carriage, change.key) : alignStanding(carriage, change.key);
  }
  const at = parseVersionKey(change.key);
  assert(change.kind === 'prompt-version' && at, `${change.kind} ${change.key} is a prompt artifact`);
  return gone ? deleteVersion(carriage.to, context, at) : carryVersion(carriage, at, 0);
}

/** Brings one version over, and before it every lower one that is missing. */
async function carryVersion(carriage: Carriage, at: { name: string; version: number }, depth: number): Promise<void> {
  const { from, to, context } = carriage;
  const wanted = await readVersion(from, context, at);
  if (!wanted || isPlaceholder(wanted)) {
    throw new Failure('PROMPT_GONE', `prompt ${at.name} version ${at.version} is no longer where it was to come from`, {
      next: 'retry',
      hint: 'it was deleted meanwhile; the next comparison knows',
    });
  }
  const present = await numbersThatCount(carriage, at);
  if (present.includes(at.version)) {
    const there = await readVersion(to, context, at);
    if (there && contentDigest(there) === contentDigest(wanted)) return;
    throw conflict(at, 'that number holds another content there');
  }
  const newest = present.at(-1) ?? 0;
  if (newest > at.version) throw conflict(at, `the numbering there has already moved on to ${newest}`);
  if (at.version - newest - 1 > placeholdersMax) {
    throw conflict(at, `${at.version - newest - 1} numbers before it are missing there`);
  }
  const atSource = new Set(await versionNumbers(from, context, at.name));
  let filled = false;
  for (let version = newest + 1; version <= at.version; version++) {
    const next = atSource.has(version) ? await readVersion(from, context, { name: at.name, version }) : undefined;
    if (!next || isPlaceholder(next)) {
      filled = true;
      const content = placeholderContent(wanted.type);
      await createVersion(to, context, { name: at.name, version, content, labels: [], tags: wanted.tags });
      continue;
    }
    await bringReferences(carriage, next, depth);
    const content = contentOf(next);
    await createVersion(to, context, { name: at.name, version, content, labels: [], tags: next.tags });
  }
  if (filled) await removePlaceholders(carriage, at.name);
}

/** Numbers taken at the target. A leftover placeholder on the wanted number, or the highest, is cleared away first. */
async function numbersThatCount(carriage: Carriage, at: { name: string; version: number }): Promise<number[]> {
  const { to, context } = carriage;
  const present = await versionNumbers(to, context, at.name);
  for (;;) {
    const newest = present.at(-1);
    if (newest === undefined || newest < at.version) return present;
    const there = await readVersion(to, context, { name: at.name, version: newest });
    if (there && !isPlaceholder(there)) return present;
    await deleteVersion(to, context, { name: at.name, version: newest });
    present.pop();
  }
}

/** The server refuses a prompt whose references it cannot fill in: they come first, their labels with them. */
async function bringReferences(carriage: Carriage, prompt: PromptVersion, depth: number): Promise<void> {
  for (const reference of referencesOf(prompt)) {
    if (depth >= depthMax) throw conflict(prompt, `its references nest deeper than ${depthMax}`);
    if ('version' in reference) await carryVersion(carriage, reference, depth + 1);
    else await bringLabelled(carriage, reference, depth);
  }
}

/** A label that already points somewhere there is left alone; the labels' own turn comes after the versions. */
async function bringLabelled(
  carriage: Carriage,
  reference: Extract<PromptReference, { label: string }>,
  depth: number,
): Promise<void> {
  const { name, label } = reference;
  const there = await readVersions(carriage.to, carriage.context, name);
  if (there.some((version) => version.labels.includes(label) && !isPlaceholder(version))) return;
  const here = await readVersions(carriage.from, carriage.context, name);
  const version = label === 'latest' ? here.at(-1)?.version : standingOf(here).labels[label];
  if (version === undefined) {
    throw new Failure('PROMPT_REFERENCE_MISSING', `prompt ${name} has no version labelled ${label}`, {
      next: 'ask_operator',
      hint: `a prompt contains it; give the label ${label} to a version of ${name} where the stamp is active`,
    });
  }
  await carryVersion(carriage, { name, version }, depth + 1);
  if (label !== 'latest') await addLabels(carriage.to, carriage.context, { name, version, labels: [label] });
}
