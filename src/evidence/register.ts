// The register of all runs: a chain with one line per sealed file, so that a removed file is noticed.

import { appendFile, mkdir, open, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { canonicalJson, codeOf, sha256, tryParseJson } from '#base';
import { chainStart, type ChainLine } from './chain.ts';
import type { Sealed } from './seal.ts';
import { verifyEvidence, type EvidenceProblem } from './verify.ts';

export function registerFile(directory: string): string {
  return join(directory, 'register.jsonl');
}

/** Adds a sealed file to the register of its folder, durably. Adding the same file twice changes nothing. */
export async function enterInRegister(sealed: Sealed, entry: { readonly run: string }): Promise<void> {
  const file = registerFile(dirname(sealed.file));
  await mkdir(dirname(file), { recursive: true });
  const lines = await readLines(file);
  if (lines.some((raw) => raw.includes(canonicalJson(basename(sealed.file))))) return;
  const last = lines.at(-1);
  const text = canonicalJson({
    line: lines.length + 1,
    type: 'sealed',
    previous: last === undefined ? chainStart : sha256(last),
    body: { file: basename(sealed.file), head: sealed.head, run: entry.run },
  });
  await appendFile(file, `${text}\n`);
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export interface RegisterVerification {
  readonly file: string;
  readonly valid: boolean;
  readonly entries: number;
  readonly problems: readonly EvidenceProblem[];
}

/** Checks the register's chain and every file it names. */
export async function verifyRegister(directory: string): Promise<RegisterVerification> {
  const file = registerFile(directory);
  const lines = await readLines(file);
  const problems: EvidenceProblem[] = [];
  let previous = chainStart;
  for (const [index, raw] of lines.entries()) {
    const number = index + 1;
    const parsed = tryParseJson(raw);
    const line = parsed.ok ? (parsed.value as ChainLine) : undefined;
    if (!line || line.previous !== previous || line.line !== number) {
      problems.push({
        line: number,
        code: 'REGISTER_BROKEN',
        message: 'the register was changed at or before this line',
      });
    } else {
      const { file: name, head } = line.body as { file: string; head: string };
      await checkEntry(join(directory, name), { head, number, problems });
    }
    previous = sha256(raw);
  }
  return { file, valid: problems.length === 0, entries: lines.length, problems };
}

async function checkEntry(
  file: string,
  entry: { head: string; number: number; problems: EvidenceProblem[] },
): Promise<void> {
  try {
    const found = await verifyEvidence(file);
    if (!found.valid)
      entry.problems.push({ line: entry.number, code: 'FILE_INVALID', message: `${basename(file)} does not verify` });
    if (found.head !== entry.head)
      entry.problems.push({
        line: entry.number,
        code: 'FILE_REPLACED',
        message: `${basename(file)} has another head than registered`,
      });
  } catch (error) {
    const missing = codeOf(error) === 'EVIDENCE_UNREADABLE';
    entry.problems.push({
      line: entry.number,
      code: missing ? 'FILE_MISSING' : codeOf(error),
      message: `${basename(file)} is registered and cannot be read`,
    });
  }
}

async function readLines(file: string): Promise<string[]> {
  try {
    return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
