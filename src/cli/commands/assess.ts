// `understudy assess`: what would stop a failover now. Read-only, from the stamp alone: no ledger, no gateway.

import { assess, connect, deletionsOf, replicatedOf } from '#control';
import { createReplicator } from '#replication';
import { openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { mark, print, printFindings, printJson } from '../print.ts';

export async function assessStamp(options: StampOptions, world: CliWorld): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const connectors = connect({ ...context, ...world });
  const signal = AbortSignal.timeout(120_000);
  const replicator = createReplicator({
    connectors: replicatedOf(connectors),
    deletions: deletionsOf(context.stamp),
    clock: world.clock,
  });
  const found = await assess({
    probed: Object.values(connectors),
    drift: () => replicator.drift('home', { signal }),
    signal,
  });
  if (options.json) printJson(found);
  else {
    printFindings(found.findings);
    print();
    const bad = found.findings.filter((finding) => finding.verdict !== 'pass').length;
    print(
      bad === 0
        ? `${mark('pass')} nothing seen here would stop a failover`
        : `${mark(found.verdict)} ${bad} findings would stop or endanger a failover`,
    );
  }
  return found.verdict === 'pass' ? 0 : 1;
}
