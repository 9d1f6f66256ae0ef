// Judges one canary answer: was it an answer, who gave it, and does it equal the recorded one?

import { Failure, unreachable, worstVerdict, type Finding, type Verdict } from '#base';
import type { CanaryPrompt, Route } from '#stamp';
import type { Heard } from './ask.ts';
import { recordingOf, type Baseline, type Recording } from './baseline.ts';
import { compareAnswers } from './comparators.ts';

export interface Judged {
  readonly verdict: Verdict;
  readonly detail: string;
  readonly mend?: string;
}

export interface AnswerContext {
  readonly heard: Heard;
  readonly route: Route;
  readonly mode: 'compare' | 'record';
  readonly baseline: Baseline;
}

/** Several judgements about one subject as one finding: the worst verdict, all details, the mends of what did not pass. */
export function findingOf(subject: string, parts: readonly Judged[]): Finding {
  const mends = parts.flatMap((part) => (part.mend === undefined ? [] : [part.mend]));
  return {
    verdict: worstVerdict(parts.map((part) => part.verdict)),
    subject,
    detail: parts.map((part) => part.detail).join('; '),
    ...(mends.length === 0 ? {} : { mend: mends.join('; ') }),
  };
}

export function judgeAnswer(prompt: CanaryPrompt, context: AnswerContext): Judged {
  const { heard } = context;
  switch (heard.kind) {
    case 'aborted':
      return { verdict: 'error', detail: 'the canary was stopped before an answer came', mend: 'run it again' };
    case 'silent':
      return {
        verdict: 'error',
        detail: `the gateway gave no answer (${heard.code})`,
        mend: 'start the gateway of this site, or open the way to it',
      };
    case 'malformed':
      return {
        verdict: 'fail',
        detail: 'status 200 without a completion in it',
        mend: 'see what stands between the controller and the gateway: this is not an answer in the OpenAI form',
      };
    case 'refused':
      return judgeRefusal(heard);
    case 'answered':
      return judgeText(prompt, { ...context, heard });
    default:
      return unreachable(heard);
  }
}

/** A refused key or request is a mistake in the canary itself; anything else is the gateway failing to answer. */
function judgeRefusal(heard: Extract<Heard, { kind: 'refused' }>): Judged {
  const detail = `refused with status ${heard.status} (${heard.code})`;
  const ownMistake = heard.status >= 400 && heard.status < 500 && heard.status !== 408 && heard.status !== 429;
  return ownMistake
    ? {
        verdict: 'error',
        detail,
        mend: "check the canary's client key, its rehearsal right, and its route in the stamp",
      }
    : { verdict: 'fail', detail, mend: 'mend the upstreams of the route: no rung answered' };
}

function judgeText(
  prompt: CanaryPrompt,
  context: AnswerContext & { heard: Extract<Heard, { kind: 'answered' }> },
): Judged {
  const { heard, route } = context;
  const first = route.ladder.find((rung) => rung.rung !== 'message');
  const spokenBy = `${heard.speaker.rung ?? 'an unnamed rung'}${heard.speaker.upstream === undefined ? '' : ` (${heard.speaker.upstream})`}`;
  if (heard.speaker.rung === 'message') {
    return {
      verdict: 'fail',
      detail: 'the message rung answered: no model spoke',
      mend: 'mend the upstreams of the route: no model rung answered',
    };
  }
  if (heard.finishReason !== 'stop') {
    return {
      verdict: 'fail',
      detail: `${spokenBy} ended with finish reason ${heard.finishReason} instead of stop`,
      mend: 'shorten the prompt, or see why the model cut its answer',
    };
  }
  const asDeclared = heard.speaker.rung === first?.rung && heard.speaker.upstream === first?.upstream;
  const who = asDeclared ? spokenBy : `${spokenBy} answered, not the first rung of the route`;
  if (context.mode === 'record') return judgeForRecording(asDeclared, who);
  return judgeAgainstBaseline(prompt, { ...context, who });
}

function judgeForRecording(asDeclared: boolean, who: string): Judged {
  return asDeclared
    ? { verdict: 'pass', detail: `recorded from ${who}` }
    : { verdict: 'fail', detail: `not recorded: ${who}`, mend: 'record while the first rung answers' };
}

function judgeAgainstBaseline(
  prompt: CanaryPrompt,
  context: AnswerContext & { heard: Extract<Heard, { kind: 'answered' }>; who: string },
): Judged {
  let recording: Recording;
  try {
    recording = recordingOf(context.baseline, prompt);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { verdict: 'inconclusive', detail: `${error.message} (${error.code})`, mend: error.hint ?? '' };
  }
  const comparison = compareAnswers(prompt.compare, { recorded: recording.output, answered: context.heard.content });
  const since = changesSince(recording, context.heard);
  if (comparison.equal) return { verdict: 'pass', detail: `${context.who}: equal (${prompt.compare})${since}` };
  return {
    verdict: 'fail',
    detail: `${context.who}: the answer is not the recorded one: ${comparison.why}${since}`,
    mend: 'explain the difference, then correct the behavior bundle or the upstream, or record the baseline again',
  };
}

/** What else changed since the recording: where to look for the cause of a difference. */
function changesSince(recording: Recording, heard: Extract<Heard, { kind: 'answered' }>): string {
  const pairs: [name: string, before: string | null, now: string | null][] = [
    ['model', recording.model, heard.model],
    ['system fingerprint', recording.systemFingerprint, heard.systemFingerprint ?? null],
    ['behavior', recording.behavior, heard.speaker.behavior ?? null],
  ];
  const changed = pairs.filter(([, before, now]) => before !== now);
  if (changed.length === 0) return '';
  return `, since the recording changed: ${changed.map(([name, before, now]) => `${name} ${before ?? 'none'} to ${now ?? 'none'}`).join(', ')}`;
}
