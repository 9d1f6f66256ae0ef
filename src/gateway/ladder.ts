// The ladder: rungs in their declared order, under one deadline. A rung is entered only if every rung above was tried
// or its breaker is open; a fault that is the client's to mend ends the climb at once.

import { codeOf, type Failure } from '#base';
import { countsAgainstUpstream, reactionTo, retryDelayMs, type Fault, type Permit } from '#resilience';
import { errors, type ApiError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { ModelRungName, RungPlan, UpstreamPlan } from './plan.ts';
import type { ChatRequest } from './request.ts';
import { tryUpstream, type Tried } from './try-upstream.ts';
import { clientError, refusalError } from './upstream-error.ts';

type Answer = Extract<Tried, { kind: 'whole' | 'stream' }>;

export type LadderEnd =
  | {
      readonly kind: 'answer';
      readonly rung: ModelRungName;
      readonly upstream: string;
      readonly answer: Answer;
      readonly permit: Permit;
    }
  | { readonly kind: 'message'; readonly text: string }
  | {
      readonly kind: 'error';
      readonly outcome: 'refused' | 'failed';
      readonly error: ApiError;
      readonly rung: string;
      readonly upstream: string;
    }
  /** The client has left, or the gateway closes. */
  | { readonly kind: 'ended'; readonly reason: Failure };

interface Climb {
  readonly exchange: Exchange;
  readonly chat: ChatRequest;
  /** Faults in the order of the rungs. */
  readonly faults: { readonly fault: Fault; readonly rung: string; readonly upstream: string }[];
}

type ModelRung = Exclude<RungPlan, { name: 'message' }>;

export async function climb(exchange: Exchange, chat: ChatRequest): Promise<LadderEnd> {
  const run: Climb = { exchange, chat, faults: [] };
  for (const rung of exchange.plan?.rungs ?? []) {
    if (rung.name === 'message') return { kind: 'message', text: rung.text };
    // Past the deadline only a message can still be given: it takes no time.
    if (exchange.deadline.signal.aborted) continue;
    const end = await tryRung(run, rung);
    if (end) return end;
    const ended = endedBy(exchange);
    if (ended) return ended;
  }
  return exhausted(run);
}

/** Undefined: climb on. */
async function tryRung(run: Climb, rung: ModelRung): Promise<LadderEnd | undefined> {
  const { exchange } = run;
  const { breaker, budget } = exchange.lane.upstream(rung.upstream);
  const attemptsMax = attemptsAllowed(exchange);
  let refreshed = false;
  for (let attempts = 0; ;) {
    const permit = breaker.ask();
    if (!permit) {
      skip(exchange, rung);
      return undefined;
    }
    if (attempts === 0) budget.called();
    const tried = await tryUpstream({ exchange, chat: run.chat, rung: rung.name, upstream: rung.upstream });
    switch (tried.kind) {
      case 'whole':
      case 'stream':
        return { kind: 'answer', rung: rung.name, upstream: rung.upstream.id, answer: tried, permit };
      case 'refused':
        permit.abandoned();
        return refusal(tried.error, rung);
      case 'not-written':
        // The right to act has just ended: the same upstream, now without write tools.
        permit.abandoned();
        continue;
      case 'aborted':
        settleAborted(exchange, rung.upstream, permit, tried.startedMs);
        run.faults.push({ fault: deadlineFault, rung: rung.name, upstream: rung.upstream.id });
        return endedBy(exchange);
      case 'fault':
        break;
    }
    attempts++;
    const { fault } = tried;
    // A rehearsed fault says nothing about the upstream: counted, one rehearsal would spoil the next.
    if (exchange.rehearsal?.has(rung.upstream.id)) permit.abandoned();
    else if (countsAgainstUpstream(fault)) permit.failed();
    else permit.passed();
    const reaction = reactionTo(fault);
    if (reaction === 'never') return refusal(refusalError(fault), rung);
    // A credential that was rotated meanwhile is worth one more call at once.
    if (fault.status === 401 && !refreshed && tried.credential !== undefined) {
      refreshed = true;
      const other = await exchange.core.credentials.refresh(rung.upstream.credential, tried.credential);
      if (other !== undefined && !exchange.deadline.signal.aborted) continue;
    }
    const again =
      reaction === 'retry' && attempts < attemptsMax && (await waitToRetry(exchange, fault, attempts - 1, budget));
    if (again) continue;
    run.faults.push({ fault, rung: rung.name, upstream: rung.upstream.id });
    return undefined;
  }
}

/** A client that is repeating the request by itself gets no repetitions on top of its own. */
function attemptsAllowed(exchange: Exchange): number {
  const repeated = Number(exchange.request.headers['x-stainless-retry-count'] ?? 0);
  return repeated > 0 ? 1 : (exchange.plan?.route.attemptsPerRungMax ?? 1);
}

/** Waits as the upstream asked, within the route's bound; false when climbing is better. */
async function waitToRetry(
  exchange: Exchange,
  fault: Fault,
  retry: number,
  budget: { takeRetry(): boolean },
): Promise<boolean> {
  const { clock, randomness } = exchange.core.options;
  const { signal } = exchange.deadline;
  const delayMs = retryDelayMs({
    retry,
    hintMs: fault.waitMs,
    waitMaxMs: exchange.plan?.retryWaitMaxMs ?? 0,
    remainingMs: exchange.deadline.remainingMs(),
    fraction: randomness.fraction(),
  });
  if (delayMs === undefined || !budget.takeRetry()) return false;
  try {
    await clock.sleep(delayMs, signal);
  } catch {
    return false;
  }
  return !signal.aborted;
}

/** An upstream is blamed for a deadline only if it had a fair share of the time. */
function settleAborted(exchange: Exchange, upstream: UpstreamPlan, permit: Permit, startedMs: number): void {
  const hadMs = exchange.core.options.clock.monotonicMs() - startedMs;
  const fairMs = Math.min(upstream.firstByteMs, exchange.plan?.deadlineMs ?? 0) / 2;
  const late = codeOf(exchange.deadline.signal.reason) === 'DEADLINE_EXCEEDED';
  if (late && hadMs >= fairMs) permit.failed();
  else permit.abandoned();
}

function endedBy(exchange: Exchange): LadderEnd | undefined {
  const { signal } = exchange.deadline;
  if (!signal.aborted || codeOf(signal.reason) === 'DEADLINE_EXCEEDED') return undefined;
  return { kind: 'ended', reason: signal.reason as Failure };
}

function skip(exchange: Exchange, rung: ModelRung): void {
  const atMs = exchange.core.options.clock.wallMs();
  exchange.attempts.push({
    rung: rung.name,
    upstream: rung.upstream.id,
    spanId: exchange.newSpanId(),
    startedAtMs: atMs,
    endedAtMs: atMs,
    outcome: 'skipped',
    error: 'breaker_open',
  });
}

function refusal(error: ApiError, rung: ModelRung): LadderEnd {
  return { kind: 'error', outcome: 'refused', error, rung: rung.name, upstream: rung.upstream.id };
}

const deadlineFault: Fault = {
  source: 'deadline',
  code: 'deadline_exceeded',
  message: 'no answer within the deadline',
};

/** No rung answered: the first rung's fault is told, with the shortest wait that any rung asked for. */
function exhausted(run: Climb): LadderEnd {
  const { exchange, faults } = run;
  const [first] = faults;
  exchange.core.warn(exchange.plan?.route.id ?? '', {
    level: 'warn',
    code: 'ladder-exhausted',
    message: `no rung of route ${exchange.plan?.route.id} could answer`,
    faults: faults.map(({ fault, upstream }) => `${upstream}: ${fault.code}`),
  });
  if (!first) return { kind: 'error', outcome: 'failed', error: noneOpen(exchange), rung: '', upstream: '' };
  const waits = faults.flatMap(({ fault }) => (fault.waitMs === undefined ? [] : [fault.waitMs]));
  const told = clientError(first.fault, first.upstream);
  const asksToWait = told.waitMs !== undefined || told.status === 429 || told.status === 503;
  const error = asksToWait && waits.length > 0 ? { ...told, waitMs: Math.min(...waits) } : told;
  return { kind: 'error', outcome: 'failed', error, rung: first.rung, upstream: first.upstream };
}

/** Every breaker is open. Calling one anyway would only keep it from recovering. */
function noneOpen(exchange: Exchange): ApiError {
  if (exchange.deadline.signal.aborted) return errors.deadline('no answer within the deadline');
  const waits = (exchange.plan?.rungs ?? []).flatMap((rung) =>
    rung.name === 'message' ? [] : [exchange.lane.upstream(rung.upstream).breaker.view().retryInMs],
  );
  const waitMs = Math.max(100, Math.min(...waits));
  return errors.allClosed('every upstream of this route is closed after repeated failures', { waitMs });
}
