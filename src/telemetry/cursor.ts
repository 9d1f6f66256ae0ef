// Where a destination stands, on disk: replaced by atomic rename, so a reader sees the old or the new one. Losing it
// costs reading back what is already there, never a record.

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isRecord, tryParseJson } from '#base';

export interface Cursor {
  readonly provenThroughSequence: number;
  readonly provenThroughMs: number;
  readonly sentThroughSequence: number;
}

export async function readCursor(file: string): Promise<Cursor | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
  const parsed = tryParseJson(text);
  if (!parsed.ok || !isRecord(parsed.value) || parsed.value['version'] !== 1) return undefined;
  const { provenThroughSequence, provenThroughMs, sentThroughSequence } = parsed.value;
  if (!isCount(provenThroughSequence) || !isCount(sentThroughSequence) || typeof provenThroughMs !== 'number') {
    return undefined;
  }
  return { provenThroughSequence, provenThroughMs, sentThroughSequence };
}

export async function writeCursor(file: string, cursor: Cursor): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ version: 1, ...cursor })}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
