// Writes schema/stamp.schema.json and docs/reference/stamp.md from src/stamp/schema.ts.
// Run it after every change there: node scripts/write-schema.ts

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { generatedFiles } from './generated.ts';

for (const { name, path, content } of await generatedFiles()) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  console.log(`wrote ${name}`);
}
