// The baseline file: saved and read back, refused when missing, broken, or recorded for another request.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { emptyBaseline, loadBaseline, recordingOf, requestDigest, saveBaseline, type Baseline } from './baseline.ts';

const prompt = { id: 'word', compare: 'exact' as const, messages: [{ role: 'user' as const, content: 'Say it' }] };
const baseline: Baseline = {
  ...emptyBaseline,
  prompts: {
    word: {
      requestDigest: requestDigest(prompt),
      output: 'it',
      model: 'gpt-4o',
      systemFingerprint: null,
      upstream: 'first',
      behavior: null,
      recordedAtMs: 1,
    },
  },
};

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'understudy-canary-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('what is saved is read back, and nothing else is left beside it', async (t) => {
  const directory = await folder(t);
  const file = join(directory, 'baseline.json');
  await saveBaseline(file, emptyBaseline);
  await saveBaseline(file, baseline);
  assert.deepEqual(await loadBaseline(file), baseline);
  assert.deepEqual(await readdir(directory), ['baseline.json']);
});

test('a missing file, a broken file and a file of another shape each have their code', async (t) => {
  const file = join(await folder(t), 'baseline.json');
  await assert.rejects(loadBaseline(file), { code: 'CANARY_BASELINE_MISSING' });
  await writeFile(file, '{"format":');
  await assert.rejects(loadBaseline(file), { code: 'CANARY_BASELINE_UNREADABLE' });
  await writeFile(file, JSON.stringify({ ...baseline, prompts: { word: { output: 'it' } } }));
  await assert.rejects(loadBaseline(file), { code: 'CANARY_BASELINE_UNREADABLE', message: /requestDigest/ });
});

test('a folder that does not exist is refused when saving', async (t) => {
  const file = join(await folder(t), 'nowhere', 'baseline.json');
  await assert.rejects(saveBaseline(file, baseline), { code: 'CANARY_BASELINE_UNWRITABLE' });
});

test('a recording belongs to one wording and one comparison', () => {
  assert.equal(recordingOf(baseline, prompt).output, 'it');
  const missing = { ...prompt, id: 'other' };
  assert.throws(() => recordingOf(baseline, missing), { code: 'CANARY_BASELINE_MISSING' });
  const reworded = { ...prompt, messages: [{ role: 'user' as const, content: 'Say that' }] };
  assert.throws(() => recordingOf(baseline, reworded), { code: 'CANARY_BASELINE_STALE' });
  assert.throws(() => recordingOf(baseline, { ...prompt, compare: 'json' }), { code: 'CANARY_BASELINE_STALE' });
});
