// The neutral form: what counts as the same prompt, and what is recognised in one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  contentDigest,
  isPlaceholder,
  parseVersionKey,
  placeholderContent,
  referencesOf,
  standingOf,
  versionKey,
  type PromptVersion,
} from './prompt-form.ts';

const version: PromptVersion = {
  name: 'greet',
  version: 3,
  type: 'text',
  prompt: 'Hello',
  config: { temperature: 0 },
  labels: ['production', 'latest'],
  tags: ['b', 'a'],
  commitMessage: null,
};

void test('labels, tags and key order do not change the content; every part of it does', () => {
  const digest = contentDigest(version);
  assert.equal(contentDigest({ ...version, labels: [], tags: [], version: 4, commitMessage: undefined }), digest);
  for (const other of [{ prompt: 'hello' }, { config: {} }, { commitMessage: 'm' }, { type: 'chat' as const }]) {
    assert.notEqual(contentDigest({ ...version, ...other }), digest, JSON.stringify(other));
  }
});

void test('the standing of a name leaves `latest` out and sorts tags', () => {
  assert.deepEqual(standingOf([version]), { labels: { production: 3 }, tags: ['a', 'b'] });
});

void test('a placeholder is recognised by all of its marks, and then stands out', () => {
  const placeholder = { ...version, ...placeholderContent('text') };
  assert.equal(isPlaceholder(placeholder), true);
  assert.deepEqual(standingOf([placeholder]).placeholders, [3]);
  assert.equal(isPlaceholder({ ...placeholder, config: {} }), false);
  assert.equal(isPlaceholder(version), false);
});

void test('references are found in text and in chat messages; broken ones are not', () => {
  const prompt = [
    {
      role: 'system',
      content: '@@@langfusePrompt:name=f/a|version=2@@@ and @@@langfusePrompt:name=b|label=production@@@',
    },
    { role: 'user', content: '@@@langfusePrompt:version=2|name=a@@@' },
  ];
  assert.deepEqual(referencesOf({ ...version, type: 'chat', prompt }), [
    { name: 'f/a', version: 2 },
    { name: 'b', label: 'production' },
  ]);
});

void test('keys survive names with @, / and spaces', () => {
  for (const name of ['greet', 'a@b', 'f/ü x', 'a@1']) {
    assert.deepEqual(parseVersionKey(versionKey(name, 12)), { name, version: 12 });
  }
  for (const key of ['greet', 'greet@0', 'greet@x', '@3']) assert.equal(parseVersionKey(key), undefined, key);
});
