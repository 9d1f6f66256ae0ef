// Reads a stamp.yaml and either gives the checked stamp or every mistake at once, each with its path and line.
// The order of work: text, YAML, shape, rules; a later stage runs on whatever the earlier ones could make sense of.

import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, digestOf, isRecord } from '#base';
import { shapeMistakes } from './issues.ts';
import { formatPath, type Mistake, type Problem, type ProblemCode } from './problem.ts';
import { ruleMistakes } from './rules.ts';
import { salvage } from './schema-tree.ts';
import { stampSchema, type Stamp } from './schema.ts';
import { readYaml, type YamlText } from './yaml-text.ts';

/** Larger files are not stamps; reading stays bounded. */
const fileBytesMax = 1_048_576;

export type LoadedStamp =
  | {
      readonly ok: true;
      readonly stamp: Stamp;
      /** SHA-256 of the checked stamp's canonical JSON, defaults included: comments and layout do not change it. */
      readonly digest: string;
      readonly file: string;
      /** Absolute folder of the file: relative paths in the stamp start here. */
      readonly directory: string;
    }
  | { readonly ok: false; readonly file: string; readonly problems: readonly Problem[] };

/** Reads and checks a stamp file. Never rejects for what is wrong with the file: that is a problem in the result. */
export async function loadStamp(file: string): Promise<LoadedStamp> {
  const read = await readBounded(file);
  if ('problem' in read) return { ok: false, file, problems: [read.problem] };
  return parseStamp(read.text, { file });
}

/** Checks the text of a stamp; `file` names it in the result and says where relative paths start. */
export function parseStamp(text: string, { file }: { readonly file: string }): LoadedStamp {
  const directory = dirname(resolve(file));
  const yaml = readYaml(text);
  const problems = [...yaml.problems];
  if (yaml.value === undefined) return { ok: false, file, problems };
  if (yaml.value === null) {
    problems.push(wholeFile('STAMP_EMPTY', 'the file is empty', 'start from examples/stamp.azure.yaml'));
  } else if (!isRecord(yaml.value)) {
    const message = 'a stamp is a mapping of keys to values, beginning with `apiVersion: understudy/v1`';
    problems.push({ ...wholeFile('STAMP_NOT_A_MAPPING', message), ...yaml.locate([]) });
  } else {
    const mistakes = [
      ...shapeMistakes(stampSchema, yaml.value),
      ...ruleMistakes(salvage(stampSchema, yaml.value) ?? {}, { directory }),
    ];
    problems.push(...mistakes.map((mistake) => locate(mistake, yaml)));
  }
  if (problems.length > 0) return { ok: false, file, problems: inFileOrder(problems) };
  const stamp = stampSchema.parse(yaml.value);
  return { ok: true, stamp, digest: digestOf(stamp), file, directory };
}

function locate({ path, key, code, message, hint }: Mistake, yaml: YamlText): Problem {
  return {
    path: formatPath(key === undefined ? path : [...path, key]),
    ...yaml.locate(path, key),
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}

function inFileOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

// ---- the file -------------------------------------------------------------------------------------------------------

async function readBounded(file: string): Promise<{ text: string } | { problem: Problem }> {
  try {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    const found = await stat(file);
    if (found.isDirectory()) return { problem: unreadable('EISDIR') };
    if (!found.isFile()) return { problem: wholeFile('STAMP_FILE_UNREADABLE', 'this is not a regular file') };
    if (found.size > fileBytesMax) {
      return {
        problem: wholeFile('STAMP_FILE_TOO_LARGE', `the file has ${found.size} bytes; a stamp has at most 1 MiB`),
      };
    }
    const bytes = await readFile(file);
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    return { problem: unreadable(codeOf(error)) };
  }
}

function unreadable(code: string): Problem {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return wholeFile(
        'STAMP_FILE_MISSING',
        'there is no such file',
        'check the path, or copy examples/stamp.azure.yaml',
      );
    case 'EISDIR':
      return wholeFile('STAMP_FILE_UNREADABLE', 'this is a directory, not a file');
    case 'EACCES':
    case 'EPERM':
      return wholeFile('STAMP_FILE_UNREADABLE', 'no permission to read this file');
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return wholeFile('STAMP_FILE_UNREADABLE', 'the file is not UTF-8 text');
    default:
      return wholeFile('STAMP_FILE_UNREADABLE', `the file cannot be read (${code})`);
  }
}

function wholeFile(code: ProblemCode, message: string, hint?: string): Problem {
  return { path: '', line: 0, column: 0, code, message, ...(hint === undefined ? {} : { hint }) };
}
