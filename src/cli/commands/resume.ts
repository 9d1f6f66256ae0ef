// `understudy resume`: goes on with a stopped run.

import { actAs, openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { acceptanceOf, follow } from './start-run.ts';

export async function resume(
  run: string,
  options: StampOptions & { acceptDouble?: readonly string[] },
  world: CliWorld,
): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const { client } = await actAs(context, options, world, 'operate');
  await client.post(`/api/runs/${run}/resume`, { accept: (options.acceptDouble ?? []).map(acceptanceOf) });
  return follow(run, options, { client, world });
}
