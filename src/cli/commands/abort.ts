// `understudy abort`: ends a run; until traffic moved the fence is undone.

import { actAs, openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import type { RunView } from '../follow.ts';
import { mark, print, printJson } from '../print.ts';

export async function abort(
  run: string,
  options: StampOptions & { reason?: string },
  world: CliWorld,
): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const { client } = await actAs(context, options, world, 'operate');
  const view = (await client.post(`/api/runs/${run}/abort`, {
    reason: options.reason ?? 'aborted by hand',
  })) as RunView;
  if (options.json) printJson(view);
  else print(`${mark('pass')} ${run}: ${view.outcome}`);
  return 0;
}
