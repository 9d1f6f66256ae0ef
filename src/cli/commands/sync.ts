// `understudy sync`: brings the standby up to date, and records the canary when asked.

import type { SyncReport } from '#replication';
import { actAs, openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { mark, print, printJson } from '../print.ts';
import { printDrift } from './drift.ts';

export async function sync(options: StampOptions & { recordCanary?: boolean }, world: CliWorld): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const { client } = await actAs(context, options, world, 'operate');
  const report = (await client.post('/api/sync', { recordCanary: options.recordCanary ?? false })) as SyncReport;
  if (options.json) printJson(report);
  else {
    for (const change of report.applied) {
      const error = change.error ? `: ${change.error.code} ${change.error.message}` : '';
      print(`${mark(change.error ? 'fail' : 'pass')} ${change.action} ${change.kind} ${change.key}${error}`);
    }
    printDrift(report.after);
    if (options.recordCanary) print(`${mark('pass')} canary baseline recorded`);
  }
  return report.after.every((entry) => entry.method === 'live' && entry.drift.length === 0) ? 0 : 1;
}
