// `understudy serve`: runs one part of a stamp in the foreground until it is told to stop.

import type { Site } from '#base';
import { openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';

export async function serve(part: 'controller' | Site, options: StampOptions, world: CliWorld): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const log = (line: { code: string; message: string }): void => {
    const at = new Date(world.clock.wallMs()).toISOString();
    process.stderr.write(`${JSON.stringify({ at, part, ...line })}\n`);
  };
  const running =
    part === 'controller'
      ? await world.startController({ ...context, stampDigest: context.digest, log })
      : await world.startSite({ ...context, site: part, log });
  process.stdout.write(
    `${JSON.stringify({ ready: true, name: part, url: running.url, port: Number(new URL(running.url).port) })}\n`,
  );
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('disconnect', resolve);
    // Under a supervisor Ctrl-C reaches the whole group; the supervisor ends its processes in order.
    if (process.send) process.on('SIGINT', () => {});
    else process.once('SIGINT', resolve);
  });
  await running.stop();
  return 0;
}
