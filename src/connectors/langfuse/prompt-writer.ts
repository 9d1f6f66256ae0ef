// Writing prompts. A create whose answer was lost is looked up by its number and content before anyone repeats it, so it
// never makes a twin; moving a label and deleting a version may be repeated freely.

import { canonicalJson, codeOf, Failure } from '#base';
import type { ActContext } from '../port.ts';
import type { SiteClient } from './client.ts';
import { unknownOutcomeCodes } from './failures.ts';
import { contentOf, promptSchema, type PromptContent, type PromptVersion } from './prompt-form.ts';
import { parsed, promptPath, readVersion } from './prompt-reader.ts';

export interface NewVersion {
  readonly name: string;
  /** The number the server must give it. */
  readonly version: number;
  readonly content: PromptContent;
  readonly labels: readonly string[];
  /** Of the name: they replace the tags of every version. */
  readonly tags: readonly string[];
}

/** Creates a version; the server numbers it, so another number means that someone else wrote at the same time. */
export async function createVersion(client: SiteClient, context: ActContext, wanted: NewVersion): Promise<void> {
  const what = `create prompt ${wanted.name} version ${wanted.version}`;
  const { type, prompt, config, commitMessage } = wanted.content;
  const body = {
    name: wanted.name,
    type,
    prompt,
    config,
    labels: [...wanted.labels],
    tags: [...wanted.tags],
    ...(commitMessage === null ? {} : { commitMessage }),
  };
  let created: PromptVersion;
  try {
    const reply = await client.json({
      what,
      method: 'POST',
      path: '/api/public/v2/prompts',
      body: JSON.stringify(body),
      deadlineMs: client.limits.writeDeadlineMs,
      context,
      act: context,
    });
    created = parsed(promptSchema, reply, { client, what });
  } catch (error) {
    if (!(error instanceof Failure) || !unknownOutcomeCodes.has(error.code)) throw error;
    return settleUnknown(client, context, { wanted, error });
  }
  if (created.version === wanted.version) return;
  await deleteVersion(client, context, { name: wanted.name, version: created.version });
  throw conflict(wanted, `the server numbered it ${created.version}: someone else is writing there`);
}

/** The answer is lost: wait until the call can no longer take effect, then see. */
async function settleUnknown(
  client: SiteClient,
  context: ActContext,
  { wanted, error }: { wanted: NewVersion; error: Failure },
): Promise<void> {
  await client.clock.sleep(client.limits.settleMs, context.signal);
  const found = await readVersion(client, context, wanted);
  if (found && canonicalJson(contentOf(found)) === canonicalJson(wanted.content)) return;
  if (found) throw conflict(wanted, 'another content has taken that number');
  throw new Failure(
    'LANGFUSE_OUTCOME_UNKNOWN',
    `nobody knows yet whether prompt ${wanted.name} version ${wanted.version} will appear (${codeOf(error)})`,
    { next: 'retry', hint: 'the next sync lists first and then knows', cause: error },
  );
}

/** Adds labels; the server takes them off the version that had them. */
export async function addLabels(
  client: SiteClient,
  context: ActContext,
  at: { name: string; version: number; labels: readonly string[] },
): Promise<void> {
  const what = `label prompt ${at.name} version ${at.version}`;
  await client.json({
    what,
    method: 'PATCH',
    path: `${promptPath(at.name)}/versions/${at.version}`,
    body: JSON.stringify({ newLabels: at.labels }),
    deadlineMs: client.limits.writeDeadlineMs,
    context,
    act: context,
  });
}

/** Deletes one version; that it is already gone is success. */
export async function deleteVersion(
  client: SiteClient,
  context: ActContext,
  at: { name: string; version: number },
): Promise<void> {
  const what = `delete prompt ${at.name} version ${at.version}`;
  try {
    await client.json({
      what,
      method: 'DELETE',
      path: promptPath(at.name),
      query: { version: at.version },
      deadlineMs: client.limits.writeDeadlineMs,
      context,
      act: context,
    });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'LANGFUSE_NOT_FOUND') return;
    if (code !== 'LANGFUSE_REJECTED') throw error;
    throw new Failure('PROMPT_IN_USE', `prompt ${at.name} version ${at.version} cannot be deleted`, {
      next: 'retry',
      hint: 'other prompts contain it; they must go first',
      cause: error,
    });
  }
}

export function conflict(at: { name: string; version: number }, why: string): Failure {
  return new Failure('PROMPT_VERSION_CONFLICT', `prompt ${at.name} version ${at.version} cannot be carried: ${why}`, {
    next: 'ask_operator',
    hint:
      'versions are numbered by the server and never rewritten; delete the foreign versions in the standby, ' +
      'or create the wanted content anew as the next version where the stamp is active',
    details: { name: at.name, version: at.version },
  });
}
