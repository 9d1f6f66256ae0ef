// The composition root: builds the real ports and wires gateway, relay and control. The CLI decides which part runs.

import { runCli } from '#cli';
import { codeOf, describeError, systemClock, systemRandomness } from '#base';
import { startController } from '#control';
import { startSite } from './site-process.ts';

export async function main(args: readonly string[]): Promise<void> {
  const ports = { clock: systemClock, randomness: systemRandomness };
  process.exitCode = await runCli(args, {
    ...ports,
    environment: process.env,
    startSite: (options) => startSite({ ...options, ...ports }),
    startController: (options) => startController({ ...options, ...ports }),
  });
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.on('unhandledRejection', (error) => {
  process.stderr.write(`${JSON.stringify({ level: 'error', code: codeOf(error), message: describeError(error) })}\n`);
  process.exit(1);
});
