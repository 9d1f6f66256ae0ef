// `understudy drift`: what differs between the regions.

import type { DependencyDrift } from '#replication';
import { actAs, openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { mark, print, printJson } from '../print.ts';

export async function drift(options: StampOptions, world: CliWorld): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const { client } = await actAs(context, options, world, 'read');
  const found = (await client.get('/api/drift')) as { leading: string; dependencies: DependencyDrift[] };
  if (options.json) printJson(found);
  else printDrift(found.dependencies);
  return found.dependencies.every((entry) => entry.method === 'live' && entry.drift.length === 0) ? 0 : 1;
}

export function printDrift(dependencies: readonly DependencyDrift[]): void {
  for (const entry of dependencies) {
    const verdict = entry.method !== 'live' ? 'inconclusive' : entry.drift.length === 0 ? 'pass' : 'fail';
    const how = entry.method === 'live' ? '' : ` (${entry.method}: ${entry.error?.message ?? ''})`;
    print(`${mark(verdict)} ${entry.dependency}: ${entry.artifacts} artifacts, ${entry.drift.length} differ${how}`);
    for (const one of entry.drift.slice(0, 20)) print(`    ${one.kind} ${one.key} is ${one.difference}`);
    if (entry.drift.length > 20) print(`    and ${entry.drift.length - 20} more`);
    for (const one of entry.listed)
      print(`    listed only: ${one.kind} ${one.key} (${one.reason ?? 'no reason given'})`);
  }
}
