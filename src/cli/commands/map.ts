// `understudy map`: the dependencies of a stamp, and what must be up first.

import { dependencyMap } from '#stamp';
import { openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { printJson, printTable } from '../print.ts';

export async function map(options: StampOptions, world: CliWorld): Promise<ExitCode> {
  const { stamp } = await openStamp(options, world);
  const nodes = dependencyMap(stamp);
  if (options.json) {
    printJson(nodes);
    return 0;
  }
  printTable(
    ['dependency', 'kind', 'after', 'home', 'partner'],
    nodes.map((node) => [
      node.id,
      node.kind,
      node.after.join(', ') || '—',
      node.endpoints.home.join(', '),
      node.endpoints.partner.join(', '),
    ]),
  );
  return 0;
}
