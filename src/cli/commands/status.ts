// `understudy status`: roles, lease, lag, and what blocks a failover.

import { formatDuration } from '#base';
import type { Status } from '#control';
import { actAs, openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { mark, print, printFindings, printJson } from '../print.ts';

export async function status(options: StampOptions, world: CliWorld): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const { client } = await actAs(context, options, world, 'read');
  const found = (await client.get('/api/status')) as Status;
  if (options.json) printJson(found);
  else printStatus(found);
  return found.verdict === 'pass' ? 0 : 1;
}

function printStatus(found: Status): void {
  print(`stamp ${found.stamp}, epoch ${found.epoch}`);
  for (const site of ['home', 'partner'] as const) {
    const state = found.sites[site];
    const lease =
      'unreachable' in state ? `unreachable: ${state.unreachable}` : state.mayAct ? 'holds the lease' : 'no lease';
    print(`  ${site.padEnd(8)} ${found.roles[site].padEnd(8)} ${lease}`);
    if ('unreachable' in state) continue;
    for (const [destination, progress] of Object.entries(state.telemetry)) {
      print(
        `           telemetry → ${destination}: ${progress.mode}, proven lag ${progress.provenLagSeconds} s, ${progress.waitingRecords} waiting`,
      );
    }
  }
  for (const lag of found.lag) {
    const age = lag.seconds === null ? 'never proven equal' : `proven equal ${formatDuration(lag.seconds * 1_000)} ago`;
    print(`  ${lag.dependency.padEnd(12)} ${age} (target ${formatDuration(lag.targetSeconds * 1_000)})`);
  }
  if (found.openRun !== null) print(`  open run ${found.openRun}`);
  print();
  if (found.blockers.length === 0) print(`${mark('pass')} ready`);
  else printFindings(found.blockers);
}
