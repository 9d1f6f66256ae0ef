// Rehearses the ladder of a route: rate limits and outages are injected on the rehearsal lane, rung by rung, and the
// declared next rung must answer. Nothing outside the rehearsal lane notices: it has its own breakers.

import { assert, unreachable, type Clock, type Finding } from '#base';
import { milliseconds, type Route, type Rung } from '#stamp';
import { ask, type Heard } from './ask.ts';

export interface RehearsalOptions {
  /** Address of the gateway under test, without `/v1`. */
  readonly gatewayUrl: string;
  readonly clientKey: string;
  readonly route: Route;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called with each trace the rehearsal leaves, in environment `understudy-drill`. */
  readonly onTrace?: (traceId: string) => void;
}

export type InjectedFault = 'rate-limit' | 'outage';

type ModelRung = Extract<Rung, { upstream: string }>;

export interface RehearsalCase {
  readonly fault: InjectedFault;
  /** Upstreams that fail in this case, in ladder order. */
  readonly upstreams: readonly string[];
  /** Who must answer: a model rung, the message rung, or nobody (then an OpenAI-shaped error). */
  readonly expected: Rung | 'error';
}

const answerGraceMs = 5_000;

/** Each fault at each depth of the ladder: the first rung out, the first two, … all of them. */
export function rehearsalCases(route: Route): RehearsalCase[] {
  const models = route.ladder.filter((rung): rung is ModelRung => rung.rung !== 'message');
  const message = route.ladder.find((rung) => rung.rung === 'message');
  const faults: readonly InjectedFault[] = ['rate-limit', 'outage'];
  return faults.flatMap((fault) =>
    models.map((_, depth) => ({
      fault,
      upstreams: models.slice(0, depth + 1).map((rung) => rung.upstream),
      expected: models[depth + 1] ?? message ?? ('error' as const),
    })),
  );
}

/** The value of `x-understudy-rehearsal` that makes these upstreams fail: `outage=first, outage=second`. */
export function rehearsalHeader(rehearsed: Pick<RehearsalCase, 'fault' | 'upstreams'>): string {
  return rehearsed.upstreams.map((upstream) => `${rehearsed.fault}=${upstream}`).join(', ');
}

/** One finding per case. Never rejects. */
export async function fallbackRehearsal(options: RehearsalOptions): Promise<Finding[]> {
  const { route } = options;
  const model = route.models[0];
  assert(model !== undefined, `route ${route.id} was checked to name a model`);
  const findings: Finding[] = [];
  for (const rehearsed of rehearsalCases(route)) {
    const heard = await ask({
      gatewayUrl: options.gatewayUrl,
      clientKey: options.clientKey,
      model,
      messages: [{ role: 'user', content: 'Reply with the word ready.' }],
      rehearsal: rehearsalHeader(rehearsed),
      deadlineMs: milliseconds(route.deadline) + answerGraceMs,
      clock: options.clock,
      signal: options.signal,
    });
    if ('speaker' in heard && heard.speaker.traceId !== undefined) options.onTrace?.(heard.speaker.traceId);
    findings.push(judgeCase(rehearsed, { heard, route }));
  }
  return findings;
}

function judgeCase(rehearsed: RehearsalCase, seen: { heard: Heard; route: Route }): Finding {
  const subject = `route ${seen.route.id}, ${rehearsed.fault} on ${rehearsed.upstreams.join(' and ')}`;
  const wanted = nameOf(rehearsed.expected);
  const { heard } = seen;
  switch (heard.kind) {
    case 'aborted':
      return { verdict: 'error', subject, detail: 'the rehearsal was stopped', mend: 'run it again' };
    case 'silent':
      return {
        verdict: 'error',
        subject,
        detail: `the gateway gave no answer (${heard.code})`,
        mend: 'start the gateway of this site, or open the way to it',
      };
    case 'malformed':
      return { verdict: 'fail', subject, detail: 'status 200 without a completion in it', mend: mendFor(wanted) };
    case 'refused':
      return { subject, ...judgeRefusal(rehearsed, { heard, wanted }) };
    case 'answered':
      return { subject, ...judgeSpeaker(rehearsed, { heard, wanted }) };
    default:
      return unreachable(heard);
  }
}

type Judged = Omit<Finding, 'subject'>;

function judgeRefusal(
  rehearsed: RehearsalCase,
  seen: { heard: Extract<Heard, { kind: 'refused' }>; wanted: string },
): Judged {
  const { status, code, envelope } = seen.heard;
  const exhausted = status === 429 || status >= 500;
  if (rehearsed.expected === 'error' && exhausted && envelope) {
    return { verdict: 'pass', detail: `an OpenAI-shaped error, as declared (status ${status}, ${code})` };
  }
  if (!exhausted) {
    return {
      verdict: 'error',
      detail: `the rehearsal itself was refused (status ${status}, ${code})`,
      mend: "check the canary's client key and its rehearsal right in the stamp",
    };
  }
  const shape = envelope ? '' : ' without the OpenAI envelope';
  return {
    verdict: 'fail',
    detail: `status ${status} (${code})${shape}, expected ${seen.wanted}`,
    mend: mendFor(seen.wanted),
  };
}

function judgeSpeaker(
  rehearsed: RehearsalCase,
  seen: { heard: Extract<Heard, { kind: 'answered' }>; wanted: string },
): Judged {
  const { rung, upstream } = seen.heard.speaker;
  const spoke = `${rung ?? 'an unnamed rung'}${upstream === undefined ? '' : ` (${upstream})`}`;
  const { expected } = rehearsed;
  const asDeclared =
    expected !== 'error' &&
    rung === expected.rung &&
    (expected.rung === 'message' ? seen.heard.content === expected.text : upstream === expected.upstream);
  if (asDeclared) return { verdict: 'pass', detail: `${spoke} answered, as declared` };
  return { verdict: 'fail', detail: `${spoke} answered, expected ${seen.wanted}`, mend: mendFor(seen.wanted) };
}

function nameOf(expected: RehearsalCase['expected']): string {
  if (expected === 'error') return 'an OpenAI-shaped error';
  return expected.rung === 'message' ? 'the declared message' : `${expected.rung} (${expected.upstream})`;
}

function mendFor(wanted: string): string {
  return `see why ${wanted} did not answer from this site, or correct the route's ladder`;
}
