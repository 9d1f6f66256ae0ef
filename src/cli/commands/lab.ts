// `understudy lab …`: hands over to the lab's own program, which is no part of the product.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Failure } from '#base';
import type { ExitCode } from '../exit-code.ts';

export async function lab(args: readonly string[]): Promise<ExitCode> {
  const program = fileURLToPath(new URL('../../../lab/main.ts', import.meta.url));
  if (!existsSync(program)) {
    throw new Failure('LAB_MISSING', 'the lab comes with a checkout of the repository, not with the package');
  }
  const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
  // Ctrl-C reaches the lab as well; it ends in order and this process waits for it.
  const wait = (): void => {};
  process.on('SIGINT', wait);
  process.once('SIGTERM', () => child.kill('SIGTERM'));
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  return code === 0 ? 0 : code === 2 ? 2 : 1;
}
