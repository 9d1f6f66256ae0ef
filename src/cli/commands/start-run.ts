// `understudy drill|switchover|failover|failback`: starts a run and follows it live.

import { Failure, parseDuration } from '#base';
import type { RunKind } from '#runbook';
import { actAs, openStamp, type Acting, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { followRun, type RunView } from '../follow.ts';
import { print, printJson } from '../print.ts';

export interface StartOptions extends StampOptions {
  readonly reason?: string;
  readonly incidentAgo?: string;
  readonly acceptDouble?: readonly string[];
  readonly detach?: boolean;
}

export async function startRun(kind: RunKind, options: StartOptions, world: CliWorld): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const { client } = await actAs(context, options, world, 'initiate');
  const agoMs = options.incidentAgo === undefined ? 0 : parseDuration(options.incidentAgo);
  if (agoMs === undefined)
    throw new Failure('USAGE', `--incident-ago ${options.incidentAgo} is not a duration such as 5m`);
  const view = (await client.post('/api/runs', {
    kind,
    reason: options.reason ?? `${kind} started by hand`,
    incidentAtMs: world.clock.wallMs() - agoMs,
    accept: (options.acceptDouble ?? []).map(acceptanceOf),
  })) as RunView;
  if (options.detach) {
    if (options.json) printJson(view);
    else print(`${view.run} started; follow it with \`understudy runs ${view.run}\``);
    return 0;
  }
  if (!options.json)
    print(`${view.run}: ${kind} from ${view.plan.from} to ${view.plan.to}, plan ${view.planHash.slice(0, 16)}…\n`);
  return follow(view.run, options, { client, world });
}

export function acceptanceOf(text: string): { job: string; reason: string } {
  const separator = text.indexOf('=');
  if (separator < 1) throw new Failure('USAGE', `--accept-double ${text}: write JOB=REASON`);
  return { job: text.slice(0, separator), reason: text.slice(separator + 1) };
}

export async function follow(
  run: string,
  options: StampOptions,
  parts: { client: Acting['client']; world: CliWorld },
): Promise<ExitCode> {
  const view = await followRun({ client: parts.client, run, clock: parts.world.clock, quiet: options.json ?? false });
  if (options.json) printJson(view);
  return view.phase === 'finished' && (view.outcome ?? '').startsWith('completed') ? 0 : 1;
}
