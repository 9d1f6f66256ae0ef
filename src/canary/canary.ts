// The prompt canary: declared prompts go out through a gateway, the outputs are compared with the recorded ones, and the
// trace of each is looked for. It proves that this mechanism works end to end on that gateway, and says no more: a handful
// of equal answers is not evidence of the quality, safety or completeness of a model's behaviour.

import { assert, worstVerdict, type Clock, type Finding, type Verdict } from '#base';
import { milliseconds, routeOf, type CanaryPrompt, type Route, type Stamp } from '#stamp';
import { ask, type Heard, type Speaker } from './ask.ts';
import { emptyBaseline, requestDigest, type Baseline } from './baseline.ts';
import { findingOf, judgeAnswer, type Judged } from './judge.ts';
import { awaitTrace, type FindTrace } from './trace.ts';

export interface CanaryOptions {
  readonly stamp: Stamp;
  /** Address of the gateway under test, without `/v1`. */
  readonly gatewayUrl: string;
  /** Key of the stamp's canary client, which may use the rehearsal lane. */
  readonly clientKey: string;
  /** What to compare with; absent: each comparison is inconclusive. Not read in mode `record`. */
  readonly baseline?: Baseline;
  readonly mode: 'compare' | 'record';
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether the trace can be read back where traces are kept; asked until it can or `traceDeadlineMs` has passed. */
  readonly findTrace: FindTrace;
  /** Default 30 s. */
  readonly traceDeadlineMs?: number;
  /** Default `canary`. */
  readonly environmentHeader?: string;
}

export interface CanaryPromptResult {
  readonly prompt: string;
  readonly verdict: Verdict;
  readonly finding: Finding;
  readonly traceId?: string;
  readonly traceFound: boolean;
  readonly rung?: string;
  readonly upstream?: string;
  readonly behavior?: string;
  /** As the answer named it. */
  readonly model?: string;
  readonly latencyMs?: number;
}

export interface CanaryResult {
  readonly verdict: Verdict;
  readonly mode: 'compare' | 'record';
  readonly prompts: readonly CanaryPromptResult[];
  readonly findings: readonly Finding[];
  /** Mode `record`: what to save, only when every prompt passed. */
  readonly recorded?: Baseline;
}

const traceDeadlineMsDefault = 30_000;
/** The gateway's own deadline comes first; this much later it is taken for dead. */
const answerGraceMs = 5_000;

/** Asks the declared prompts one after the other, then waits for their traces together. Never rejects. */
export async function runCanary(options: CanaryOptions): Promise<CanaryResult> {
  const route = routeOf(options.stamp, options.stamp.canary.route);
  const asked: { prompt: CanaryPrompt; heard: Heard; result: Promise<CanaryPromptResult> }[] = [];
  for (const prompt of options.stamp.canary.prompts) {
    const before = asked.at(-1)?.heard;
    // A gateway that was silent once is not waited for again: five deadlines in a row would hold up the run.
    const heard =
      before?.kind === 'silent' || before?.kind === 'aborted' ? before : await askPrompt(prompt, options, route);
    asked.push({ prompt, heard, result: judgePrompt(prompt, { heard, route, options }) });
  }
  const prompts = await Promise.all(asked.map((entry) => entry.result));
  const verdict = worstVerdict(prompts.map((result) => result.verdict));
  const atMs = options.clock.wallMs();
  return {
    verdict,
    mode: options.mode,
    prompts,
    findings: prompts.map((result) => result.finding),
    ...(options.mode === 'record' && verdict === 'pass'
      ? { recorded: asked.reduce((baseline, entry) => withRecording(baseline, entry, atMs), emptyBaseline) }
      : {}),
  };
}

function askPrompt(prompt: CanaryPrompt, options: CanaryOptions, route: Route): Promise<Heard> {
  const model = route.models[0];
  assert(model !== undefined, `route ${route.id} was checked to name a model`);
  return ask({
    gatewayUrl: options.gatewayUrl,
    clientKey: options.clientKey,
    model,
    messages: prompt.messages,
    rehearsal: options.environmentHeader ?? 'canary',
    deadlineMs: milliseconds(route.deadline) + answerGraceMs,
    clock: options.clock,
    signal: options.signal,
  });
}

async function judgePrompt(
  prompt: CanaryPrompt,
  seen: { heard: Heard; route: Route; options: CanaryOptions },
): Promise<CanaryPromptResult> {
  const { heard, route, options } = seen;
  const baseline = options.baseline ?? emptyBaseline;
  const answer = judgeAnswer(prompt, { heard, route, mode: options.mode, baseline });
  const speaker: Speaker = 'speaker' in heard ? heard.speaker : {};
  const trace = await awaitTrace(speaker.traceId, {
    answered: heard.kind === 'answered',
    findTrace: options.findTrace,
    deadlineMs: options.traceDeadlineMs ?? traceDeadlineMsDefault,
    clock: options.clock,
    signal: options.signal,
  });
  return resultOf(prompt, { heard, speaker, answer, trace });
}

function resultOf(
  prompt: CanaryPrompt,
  seen: { heard: Heard; speaker: Speaker; answer: Judged; trace: Judged },
): CanaryPromptResult {
  const { heard, speaker, answer, trace } = seen;
  const finding = findingOf(`canary prompt ${prompt.id}`, [answer, trace]);
  return {
    prompt: prompt.id,
    verdict: finding.verdict,
    finding,
    traceFound: trace.verdict === 'pass',
    ...(speaker.traceId === undefined ? {} : { traceId: speaker.traceId }),
    ...(speaker.rung === undefined ? {} : { rung: speaker.rung }),
    ...(speaker.upstream === undefined ? {} : { upstream: speaker.upstream }),
    ...(speaker.behavior === undefined ? {} : { behavior: speaker.behavior }),
    ...(heard.kind === 'answered' ? { model: heard.model, latencyMs: heard.latencyMs } : {}),
  };
}

function withRecording(baseline: Baseline, entry: { prompt: CanaryPrompt; heard: Heard }, atMs: number): Baseline {
  const { prompt, heard } = entry;
  if (heard.kind !== 'answered') return baseline;
  const recording = {
    requestDigest: requestDigest(prompt),
    output: heard.content,
    model: heard.model,
    systemFingerprint: heard.systemFingerprint ?? null,
    upstream: heard.speaker.upstream ?? 'unnamed',
    behavior: heard.speaker.behavior ?? null,
    recordedAtMs: atMs,
  };
  return { ...baseline, prompts: { ...baseline.prompts, [prompt.id]: recording } };
}
