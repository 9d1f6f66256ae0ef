// `understudy runs`: lists runs, or shows one with every finding.

import { formatDuration, isRecord } from '#base';
import { actAs, openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import { printSummary, type RunView } from '../follow.ts';
import { mark, print, printJson, printTable } from '../print.ts';

export async function runs(run: string | undefined, options: StampOptions, world: CliWorld): Promise<ExitCode> {
  const context = await openStamp(options, world);
  const { client } = await actAs(context, options, world, 'read');
  if (run !== undefined) {
    const view = (await client.get(`/api/runs/${run}`)) as RunView;
    if (options.json) printJson(view);
    else printRun(view);
    return 0;
  }
  const found = (await client.get('/api/runs')) as readonly Record<string, unknown>[];
  if (options.json) printJson(found);
  else if (found.length === 0) print('no runs yet; start with `understudy drill`');
  else {
    printTable(
      ['run', 'kind', 'from → to', 'phase', 'outcome', 'RTO here', 'predicted in Azure'],
      found.map((one) => [
        String(one['run']),
        String(one['kind']),
        `${String(one['from'])} → ${String(one['to'])}`,
        String(one['phase']),
        typeof one['outcome'] === 'string' ? one['outcome'] : '—',
        isRecord(one['rtoSeconds']) ? `${String(one['rtoSeconds']['total'])} s` : '—',
        typeof one['predictedAzureSeconds'] === 'number' ? formatDuration(one['predictedAzureSeconds'] * 1_000) : '—',
      ]),
    );
  }
  return 0;
}

function printRun(view: RunView): void {
  print(`${view.run}: ${view.plan.kind} from ${view.plan.from} to ${view.plan.to}, ${view.outcome ?? view.phase}`);
  print(`  started by ${view.initiator}: ${view.reason}`);
  for (const step of view.plan.steps) {
    const found = view.steps[step.id];
    if (found?.status !== 'finished') {
      print(`  · ${step.title}: ${found?.status ?? 'pending'}`);
      continue;
    }
    const predicted =
      step.azureSeconds === null ? '' : `; ${formatDuration(step.azureSeconds * 1_000)} predicted in Azure`;
    print(`  ${mark(found.verdict)} ${step.title} (${formatDuration(found.seconds * 1_000)}${predicted})`);
    for (const finding of found.findings) print(`      ${mark(finding.verdict)} ${finding.subject}: ${finding.detail}`);
  }
  printSummary(view.summary);
  for (const file of [view.sealed, ...view.addenda]) if (file) print(`  evidence ${file.file}`);
}
