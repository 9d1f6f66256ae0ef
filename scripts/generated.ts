// The files of this repository that are made from code, and their content. A test compares, write-schema.ts writes.

import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { stampJsonSchema } from '#stamp';
import { renderReference } from './stamp-reference.ts';

export interface GeneratedFile {
  /** Relative to the repository. */
  readonly name: string;
  readonly path: string;
  readonly content: string;
}

export async function generatedFiles(): Promise<GeneratedFile[]> {
  const schema = stampJsonSchema();
  return [
    await generated('schema/stamp.schema.json', JSON.stringify(schema)),
    { ...place('docs/reference/stamp.md'), content: renderReference(schema) },
  ];
}

/** Formatted as the repository's own check wants it. */
async function generated(name: string, text: string): Promise<GeneratedFile> {
  const { path } = place(name);
  const config = await resolveConfig(path);
  return { name, path, content: await format(text, { ...config, filepath: path }) };
}

function place(name: string): { name: string; path: string } {
  return { name, path: fileURLToPath(new URL(`../${name}`, import.meta.url)) };
}
