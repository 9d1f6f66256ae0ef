// `understudy check`: every mistake of a stamp file at once, each with its path and line.

import { formatProblems, loadStamp, stampJsonSchema } from '#stamp';
import type { ExitCode } from '../exit-code.ts';
import { mark, print, printJson } from '../print.ts';

export async function check(file: string, options: { json?: boolean; schema?: boolean }): Promise<ExitCode> {
  if (options.schema) {
    printJson(stampJsonSchema());
    return 0;
  }
  const loaded = await loadStamp(file);
  if (options.json)
    printJson(loaded.ok ? { ok: true, digest: loaded.digest } : { ok: false, problems: loaded.problems });
  else if (loaded.ok)
    print(`${mark('pass')} ${file}: stamp ${loaded.stamp.name}, digest ${loaded.digest.slice(0, 16)}…`);
  else print(formatProblems(loaded.problems, file));
  return loaded.ok ? 0 : 1;
}
