// `understudy evidence verify|register`: verifies sealed files, and the register that names them.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { verifyEvidence, verifyRegister } from '#evidence';
import { openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { mark, print, printJson } from '../print.ts';

export async function evidenceVerify(
  files: readonly string[],
  options: StampOptions & { trusted?: string },
): Promise<ExitCode> {
  const found = await Promise.all(
    files.map(async (file) => {
      const trusted =
        options.trusted === undefined ? {} : { trustedPublicKeyPem: await readFile(options.trusted, 'utf8') };
      return verifyEvidence(file, trusted);
    }),
  );
  if (options.json) printJson(found.length === 1 ? found[0] : found);
  else {
    for (const one of found) {
      const kind = one.kind === 'lab' ? ' (lab evidence: it proves nothing outside a lab)' : '';
      print(
        `${mark(one.valid ? 'pass' : 'fail')} ${one.file}: ${one.valid ? `valid, ${one.lines} lines` : 'NOT valid'}${kind}`,
      );
      for (const problem of one.problems) print(`    line ${problem.line}: ${problem.code}: ${problem.message}`);
    }
  }
  return found.every((one) => one.valid) ? 0 : 1;
}

export async function evidenceRegister(options: StampOptions, world: CliWorld): Promise<ExitCode> {
  const { stamp, directory } = await openStamp(options, world);
  const found = await verifyRegister(resolve(directory, stamp.control.evidence.directory));
  if (options.json) printJson(found);
  else {
    print(`${mark(found.valid ? 'pass' : 'fail')} ${found.file}: ${found.entries} entries`);
    for (const problem of found.problems) print(`    line ${problem.line}: ${problem.code}: ${problem.message}`);
  }
  return found.valid ? 0 : 1;
}
