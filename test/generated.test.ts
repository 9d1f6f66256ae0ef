import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { generatedFiles } from '../scripts/generated.ts';

test('generated files are what the code generates', async () => {
  for (const { name, path, content } of await generatedFiles()) {
    const written = await readFile(path, 'utf8').catch(() => '');
    assert.ok(written === content, `${name} is stale: run node scripts/write-schema.ts`);
  }
});
