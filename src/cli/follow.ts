// Follows a run live: one line per step, until the run has ended, stopped, or waits for people.

import { Listr } from 'listr2';
import { formatDuration, type Clock, type Finding, type Verdict } from '#base';
import type { ControlClient } from '#control';
import type { PlanStep } from '#runbook';
import type { RunState } from '#run';
import { mark, print, printFindings } from './print.ts';

export type RunView = RunState & { readonly summary: Readonly<Record<string, unknown>> };

const pollMs = 200;
const patienceMs = 60_000;

export interface FollowOptions {
  readonly client: ControlClient;
  readonly run: string;
  readonly clock: Clock;
  /** No live list: for `--json`. */
  readonly quiet: boolean;
}

/** Resolves to the run once it is finished or stopped. Survives a controller that is restarted meanwhile. */
export async function followRun(options: FollowOptions): Promise<RunView> {
  let view = await fetchRun(options);
  const ended = (): boolean => view.phase !== 'running' && (view.phase === 'stopped' || view.sealed !== undefined);
  const watching = (async () => {
    while (!ended()) {
      await options.clock.sleep(pollMs);
      view = await fetchRun(options);
    }
  })();
  if (!options.quiet) await showSteps(view.plan.steps, () => view, { ended, clock: options.clock });
  await watching;
  if (!options.quiet) printEnd(view);
  return view;
}

async function fetchRun(options: FollowOptions): Promise<RunView> {
  const startMs = options.clock.monotonicMs();
  for (;;) {
    try {
      return (await options.client.get(`/api/runs/${options.run}`)) as RunView;
    } catch (error) {
      const gone = error instanceof Error && 'code' in error && error.code === 'UNREACHABLE';
      if (!gone || options.clock.monotonicMs() - startMs > patienceMs) throw error;
      await options.clock.sleep(pollMs);
    }
  }
}

interface ShownStep {
  title: string;
  output: string;
  skip(message: string): void;
}

async function showSteps(
  steps: readonly PlanStep[],
  view: () => RunView,
  options: { ended: () => boolean; clock: Clock },
): Promise<void> {
  const tasks = steps.map((step) => ({
    title: step.title,
    task: async (_: unknown, task: ShownStep) => {
      let hint = '';
      for (;;) {
        const found = view().steps[step.id];
        if (found?.status === 'finished') {
          task.title = `${step.title} (${formatDuration(found.seconds * 1_000)}${azure(step)})`;
          if (found.verdict !== 'pass') throw new Error(worst(found));
          return;
        }
        if (found?.status === 'running' && step.id === 'approval') {
          // Only what is new: without a terminal every output is a line.
          const next = approvalHint(view());
          if (next !== hint) task.output = next;
          hint = next;
        }
        if (options.ended()) {
          task.skip(`${step.title}: not reached`);
          return;
        }
        await options.clock.sleep(pollMs);
      }
    },
  }));
  const list = new Listr(tasks, {
    concurrent: true,
    exitOnError: false,
    renderer: process.stdout.isTTY ? 'default' : 'simple',
    rendererOptions: { collapseErrors: false },
  } as never);
  await list.run();
}

function azure(step: PlanStep): string {
  return step.azureSeconds === null ? '' : `; ${formatDuration(step.azureSeconds * 1_000)} predicted in Azure`;
}

function worst(step: { readonly verdict: Verdict; readonly findings: readonly Finding[] }): string {
  const finding = step.findings.find((candidate) => candidate.verdict === step.verdict);
  return finding ? `${finding.subject}: ${finding.detail}` : step.verdict;
}

function approvalHint(view: RunView): string {
  const given = new Set(view.approvals.map((entry) => entry.signed.person));
  return `${given.size} of ${view.plan.approvals} given; \`understudy approve ${view.run} --as PERSON --comment TEXT\``;
}

function printEnd(view: RunView): void {
  print();
  if (view.phase === 'stopped') {
    print(`${mark('fail')} ${view.run} stopped at ${view.stoppedAt?.step}: ${view.stoppedAt?.reason}`);
    const step = view.stoppedAt ? view.steps[view.stoppedAt.step] : undefined;
    if (step?.status === 'finished') printFindings(step.findings.filter((finding) => finding.verdict !== 'pass'));
    print(`  mend it and \`understudy resume ${view.run}\`, or \`understudy abort ${view.run} --reason TEXT\``);
    const gate = view.plan.steps.find((candidate) => candidate.id === view.stoppedAt?.step && candidate.gate);
    if (gate) {
      print(
        `  or two people pass over it: \`understudy approve ${view.run} --as PERSON --override ${gate.id} --comment WHY\``,
      );
      print(`  each, then \`understudy resume ${view.run}\`; the evidence says so for good`);
    }
    return;
  }
  print(`${mark(view.outcome === 'completed' ? 'pass' : 'inconclusive')} ${view.run}: ${view.outcome}`);
  printSummary(view.summary);
  if (view.sealed) print(`  evidence ${view.sealed.file}`);
}

export function printSummary(summary: Readonly<Record<string, unknown>>): void {
  const rto = summary['rtoSeconds'] as Record<string, number> | null;
  const azureSeconds = summary['predictedAzureSeconds'] as number | null;
  if (rto) {
    const predicted = azureSeconds === null ? 'not declared' : formatDuration(azureSeconds * 1_000);
    print(
      `  RTO ${rto['total']} s here (detect ${rto['detect']}, decide ${rto['decide']}, execute ${rto['execute']}, verify ${rto['verify']}); ${predicted} predicted in Azure`,
    );
  }
  const rpo = summary['rpo'] as Record<string, { boundSeconds: number | null; method: string }>;
  for (const [dataSet, bound] of Object.entries(rpo ?? {})) {
    print(
      `  RPO ${dataSet}: ${bound.boundSeconds === null ? 'unknown' : `at most ${bound.boundSeconds} s`} (${bound.method})`,
    );
  }
  const residue = summary['residue'] as string[];
  for (const item of residue ?? []) print(`  remains by design: ${item}`);
}
