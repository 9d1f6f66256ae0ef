// `npm run demo`: the whole story without a person. A stamp in two regions, live traffic, a provider outage, the active
// region killed, a failover, the region's return, a failback; then the judgement. Exit 0 only if every promise held.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Listr } from 'listr2';
import { labModel, startLab, type Lab } from '../mod.ts';
import { forkTraffic, type TrafficProcess } from '../traffic/mod.ts';
import { buildReport, type Told } from './report.ts';
import { openStage, statusOf, type Stage } from './stage.ts';
import {
  driftNow,
  failback,
  failover,
  homeReturns,
  liveOnHome,
  liveOnPartner,
  loseHome,
  providerTrouble,
  replicate,
} from './story.ts';

interface Telling {
  lab?: Lab;
  traffic?: TrafficProcess;
  stage?: Stage;
  told: Partial<Told>;
  report?: Awaited<ReturnType<typeof buildReport>>;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      directory: { type: 'string' },
      'base-port': { type: 'string', default: '27400' },
    },
  });
  const directory =
    values.directory === undefined ? mkdtempSync(join(tmpdir(), 'understudy-demo-')) : resolve(values.directory);
  const telling: Telling = { told: {} };
  let failed: unknown;
  try {
    await tell(telling, { directory, basePort: Number(values['base-port']) });
  } catch (error) {
    failed = error;
  } finally {
    telling.traffic?.kill();
    await telling.lab?.close();
  }
  if (values.json !== undefined && telling.report)
    writeFileSync(values.json, `${JSON.stringify(telling.report, undefined, 2)}\n`);
  if (failed !== undefined || !telling.report) {
    process.stderr.write(
      `demo: ${failed instanceof Error ? failed.message : String(failed)}\n  → logs and evidence are in ${directory}\n`,
    );
    return 1;
  }
  const held = printReport(telling.report);
  if (held && values.directory === undefined) rmSync(directory, { recursive: true, force: true });
  else process.stdout.write(`\nlogs and evidence are in ${directory}\n`);
  return held ? 0 : 1;
}

async function tell(telling: Telling, options: { directory: string; basePort: number }): Promise<void> {
  const stage = (): Stage => {
    if (!telling.stage) throw new Error('the lab is not up');
    return telling.stage;
  };
  const rowsFile = join(options.directory, 'traffic.jsonl');
  const act = (title: string, work: () => Promise<void>) => ({ title, task: withCounts(telling, work) });
  const acts = [
    act('the lab starts: two regions, 16 processes', async () => {
      telling.lab = await startLab(options);
    }),
    act('traffic from 20 client loops, streaming and not', async () => {
      const lab = telling.lab as Lab;
      const traffic = await forkTraffic({
        baseUrl: `${lab.url('front-door')}/v1`,
        apiKey: lab.layout.secret('application-key'),
        model: labModel,
        rowsFile,
        loops: 20,
      });
      telling.traffic = traffic;
      telling.stage = await openStage(lab, traffic);
      telling.told = { rowsFile, epochBefore: (await statusOf(stage())).epoch };
    }),
    act('sync until there is no drift and the partner’s jobs are held', async () => {
      // A new notebook and what the continuous sync has not carried yet.
      const before = await driftNow(stage());
      telling.told = { ...telling.told, replicated: await replicate(stage(), before.count) };
    }),
    act('the first model fails, then answers 429; the other region fails; all fail', () => providerTrouble(stage())),
    act('the active region is killed mid-stream', async () => {
      telling.told = { ...telling.told, lostAtMs: await loseHome(stage()) };
    }),
    act('failover: gates, two approvals, fence, traffic, schedules', async () => {
      telling.told = { ...telling.told, failover: await failover(stage(), telling.told.lostAtMs ?? 0) };
    }),
    act('traffic and schedules live on the partner', () => liveOnPartner(stage())),
    act('the lost region returns and is fenced by the standing order', () => homeReturns(stage())),
    act('failback: gates, two approvals, fence, traffic, schedules', async () => {
      telling.told = { ...telling.told, failback: await failback(stage()) };
    }),
    act('traffic lives at home again', () => liveOnHome(stage())),
    act('everything reconciled', async () => {
      const traffic = telling.traffic as TrafficProcess;
      delete telling.traffic; // it ends now: nobody may ask it for counts any more
      const summary = await traffic.stop();
      telling.report = await buildReport(stage(), { ...telling.told, summary } as Told);
    }),
  ];
  const renderer = process.stdout.isTTY ? 'default' : 'simple';
  await new Listr(acts, {
    concurrent: false,
    exitOnError: true,
    renderer,
    rendererOptions: { timer: undefined },
  } as never).run();
}

/** Runs an act and shows the client's own counts below it while it lasts. */
function withCounts(telling: Telling, work: () => Promise<void>) {
  return async (_: unknown, task: { output: string; title: string }): Promise<void> => {
    const timer = setInterval(() => {
      void telling.traffic?.summary().then(
        (counts) => {
          if (process.stdout.isTTY)
            task.output = `${counts.sent} sent, ${counts.answered} answered ${JSON.stringify(counts.byRung)}`;
        },
        () => undefined,
      );
    }, 500);
    const startedMs = performance.now();
    try {
      await work();
      task.title = `${task.title} (${((performance.now() - startedMs) / 1_000).toFixed(1)} s)`;
    } finally {
      clearInterval(timer);
    }
  };
}

function printReport(report: Awaited<ReturnType<typeof buildReport>>): boolean {
  const { traffic, telemetry } = report;
  const line = (text: string): void => void process.stdout.write(`${text}\n`);
  line('');
  line(`${traffic.sent} requests sent, ${traffic.answered} answered ${JSON.stringify(traffic.byRung)}`);
  line(
    `${telemetry.exchanges} exchanges; missing at cut-over ${telemetry.atCutover.missingInPartner}, in the end ${telemetry.final.home.missing + telemetry.final.partner.missing}`,
  );
  for (const [name, run] of [
    ['failover', report.failover],
    ['failback', report.failback],
  ] as const) {
    const rto = run.rtoSeconds as Record<string, number> | null;
    line(
      `${name}: ${run.outcome}, RTO ${rto?.['total']} s here, ${String(run.predictedAzureSeconds)} s predicted in Azure`,
    );
  }
  line('');
  for (const one of report.promises) line(`${one.held ? '✔' : '✘'} ${one.promise} (${one.detail})`);
  return report.promises.every((one) => one.held);
}

process.exitCode = await main();
