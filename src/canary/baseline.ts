// The recorded answers that canary runs are compared with: one JSON file, replaced as a whole, so that a crash while saving
// leaves the old one.

import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { codeOf, digestOf, Failure, tryParseJson } from '#base';
import type { CanaryPrompt } from '#stamp';

const recording = z.strictObject({
  /** Digest of messages and comparison: a prompt that changed has no recording any more. */
  requestDigest: z.string().regex(/^[0-9a-f]{64}$/),
  output: z.string(),
  /** As the answer named it. */
  model: z.string(),
  systemFingerprint: z.string().nullable(),
  upstream: z.string(),
  /** Digest of the behavior bundle in force; null when the gateway named none. */
  behavior: z.string().nullable(),
  recordedAtMs: z.number(),
});

const baselineSchema = z.strictObject({
  format: z.literal('understudy/canary-baseline/v1'),
  prompts: z.record(z.string(), recording),
});

export type Recording = z.infer<typeof recording>;
export type Baseline = z.infer<typeof baselineSchema>;

export const emptyBaseline: Baseline = { format: 'understudy/canary-baseline/v1', prompts: {} };

const recordHint = 'record it with `understudy sync --record-canary` while the home site answers as it should';

export function requestDigest(prompt: Pick<CanaryPrompt, 'messages' | 'compare'>): string {
  return digestOf({ messages: prompt.messages, compare: prompt.compare });
}

/** Throws `CANARY_BASELINE_MISSING` when there is no file, `CANARY_BASELINE_UNREADABLE` when it is not a baseline. */
export async function loadBaseline(file: string): Promise<Baseline> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      throw new Failure('CANARY_BASELINE_MISSING', `there is no canary baseline at ${file}`, {
        next: 'ask_operator',
        hint: recordHint,
        cause: error,
      });
    }
    throw unreadable(file, codeOf(error), error);
  }
  const json = tryParseJson(text);
  if (!json.ok) throw unreadable(file, json.message);
  const parsed = baselineSchema.safeParse(json.value);
  if (!parsed.success) throw unreadable(file, z.prettifyError(parsed.error));
  return parsed.data;
}

function unreadable(file: string, why: string, cause?: unknown): Failure {
  return new Failure('CANARY_BASELINE_UNREADABLE', `the canary baseline ${file} cannot be read: ${why}`, {
    next: 'ask_operator',
    hint: `restore it, or ${recordHint}`,
    cause,
  });
}

/** The recording of a prompt; throws `CANARY_BASELINE_MISSING` or, when the prompt has changed, `CANARY_BASELINE_STALE`. */
export function recordingOf(baseline: Baseline, prompt: CanaryPrompt): Recording {
  const found = Object.hasOwn(baseline.prompts, prompt.id) ? baseline.prompts[prompt.id] : undefined;
  if (!found) {
    throw new Failure('CANARY_BASELINE_MISSING', `no answer is recorded for canary prompt ${prompt.id}`, {
      next: 'ask_operator',
      hint: recordHint,
    });
  }
  if (found.requestDigest !== requestDigest(prompt)) {
    throw new Failure('CANARY_BASELINE_STALE', `canary prompt ${prompt.id} has changed since its answer was recorded`, {
      next: 'ask_operator',
      hint: recordHint,
    });
  }
  return found;
}

/** Writes beside the file, syncs, renames, and syncs the folder: after a crash there is the old file or the new one. */
export async function saveBaseline(file: string, baseline: Baseline): Promise<void> {
  const beside = `${file}.new`;
  try {
    const handle = await open(beside, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(baseline, undefined, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
    const folder = await open(dirname(file), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    await rm(beside, { force: true });
    throw new Failure('CANARY_BASELINE_UNWRITABLE', `the canary baseline ${file} cannot be written: ${codeOf(error)}`, {
      next: 'ask_operator',
      hint: 'give the process the right to write there, or correct canary.baseline in the stamp',
      cause: error,
    });
  }
}
