// What a step is: it checks whether the wanted state already holds, makes it so, and proves it. Its result carries a
// verdict with findings, and facts for later steps, the summary and the evidence.

import { formatEpoch, worstVerdict, type Epoch, type Finding, type Verdict } from '#base';
import type { ActContext, ReadContext } from '#connectors';
import type { StepId } from '#stamp';
import type { Facts } from './events.ts';
import type { RunState } from './fold.ts';
import type { RunLog } from './log.ts';
import type { World } from './world.ts';

export interface StepResult {
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly facts: Facts;
}

export interface StepContext {
  readonly world: World;
  readonly log: RunLog;
  /** The run as it is now. */
  readonly state: () => RunState;
  readonly step: StepId;
  readonly signal: AbortSignal;
  /** A context for reading, with a deadline. */
  reading(timeoutMs: number): ReadContext;
  /** Announces an act in the log, then gives the right to it under the run's present epoch. */
  act(name: string, timeoutMs: number): Promise<ActContext>;
}

export type StepVerb = (context: StepContext) => Promise<StepResult>;

/** The worst verdict of the findings, with facts. */
export function resultOf(findings: readonly Finding[], facts: Facts = {}): StepResult {
  return { verdict: worstVerdict(findings.map((finding) => finding.verdict)), findings, facts };
}

export function passed(subject: string, detail: string): Finding {
  return { verdict: 'pass', subject, detail };
}

export function failed(subject: string, detail: string, mend: string): Finding {
  return { verdict: 'fail', subject, detail, mend };
}

export function unclear(subject: string, detail: string, mend: string): Finding {
  return { verdict: 'inconclusive', subject, detail, mend };
}

export interface ActSources {
  readonly world: World;
  readonly log: RunLog;
  readonly step: StepId;
  readonly signal: AbortSignal;
}

/** The right to one act: tied to the run's epoch, refused as soon as a newer one is known. */
export async function announceAct(sources: ActSources, name: string, timeoutMs: number): Promise<ActContext> {
  const epoch: Epoch = sources.log.state.epoch;
  const act = `${sources.log.run}/${sources.step}/${name}/${formatEpoch(epoch)}`;
  await sources.log.append([{ type: 'act-announced', body: { step: sources.step, act, epoch: formatEpoch(epoch) } }]);
  return {
    signal: AbortSignal.any([sources.signal, AbortSignal.timeout(timeoutMs)]),
    epoch,
    act,
    assertMayAct: () => {
      sources.signal.throwIfAborted();
      sources.world.authority.assertCurrent(epoch);
    },
  };
}
