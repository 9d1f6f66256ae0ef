// A thin client for one workspace: verified TLS, exact integers, a deadline on every call, Retry-After honoured within
// bounds. Reads and idempotent writes are repeated; any other write whose answer is lost has an unknown outcome.

import { Agent, request, type Dispatcher } from 'undici';
import {
  codeOf,
  formatEpoch,
  isRecord,
  unreachable as unreachableCase,
  type Clock,
  type Randomness,
  type Site,
} from '#base';
import type { ActContext, ReadContext } from '../port.ts';
import { rateLimited, refused, unknownOutcome, unreachable, type CallName } from './failures.ts';
import { formatExact, parseExact, wrongReply, type Members } from './json.ts';
import { tokenCache, type TokenCache } from './token.ts';

const attemptsMax = 5;
/** After this no lost answer is asked for again: a workspace that hangs must not hold up a failover for minutes. */
const retryBudgetMs = 10_000;
/** A region that is gone is not asked five times: a failover waits for this answer. */
const connectAttemptsMax = 2;
/** A wait the vendor asks for above this is left to the caller. */
const retryAfterMsMax = 30_000;
const backoffFirstMs = 250;
const backoffMsMax = 8_000;
/** A 10 MB notebook in base64, and its envelope. */
const answerBytesMax = 16_777_216;

export interface ClientOptions {
  readonly site: Site;
  /** `https://adb-….azuredatabricks.net` */
  readonly url: string;
  readonly token: (signal: AbortSignal) => Promise<string>;
  /** One call, from its first byte to the last byte of its answer; a right to act has to outlast it. */
  readonly callDeadlineMs: number;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

export interface WriteOptions {
  /** May be repeated when its answer was lost: the second time changes nothing. */
  readonly idempotent: boolean;
}

export interface DatabricksClient {
  readonly site: Site;
  get(path: string, query: Readonly<Record<string, string>>, context: ReadContext): Promise<Members>;
  /** A write that is no act: holding one's own schedules. */
  post(path: string, body: Members, context: ReadContext, options: WriteOptions): Promise<Members>;
  /** An act: refused in the same turn when the right to act does not outlast the call; carries epoch and act. */
  act(path: string, body: Members, context: ActContext, options: WriteOptions): Promise<Members>;
}

interface Call {
  readonly name: CallName;
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly repeatable: boolean;
  /** Called in the same turn as the request leaves. */
  readonly guard: () => void;
}

export function databricksClient(given: ClientOptions): DatabricksClient {
  const options: ClientInUse = { ...given, token: tokenCache(given.token) };
  const agent = new Agent({ connect: { timeout: 5_000 }, connections: 16 });
  const base = options.url.replace(/\/+$/, '');
  const write = (
    path: string,
    body: Members,
    context: ReadContext,
    how: WriteOptions & { headers: Readonly<Record<string, string>>; guard: () => void },
  ): Promise<Members> =>
    withRetries(options, agent, {
      name: { site: options.site, call: `POST ${path}` },
      method: 'POST',
      url: new URL(base + path),
      body: formatExact(body),
      headers: { 'content-type': 'application/json', ...how.headers },
      signal: context.signal,
      repeatable: how.idempotent,
      guard: how.guard,
    });
  return {
    site: options.site,
    get: (path, query, context) =>
      withRetries(options, agent, {
        name: { site: options.site, call: `GET ${path}` },
        method: 'GET',
        url: new URL(`${base}${path}?${new URLSearchParams(query).toString()}`),
        body: undefined,
        headers: {},
        signal: context.signal,
        repeatable: true,
        guard: () => {},
      }),
    post: (path, body, context, how) => write(path, body, context, { ...how, headers: {}, guard: () => {} }),
    act: (path, body, context, how) =>
      write(path, body, context, {
        ...how,
        headers: { 'x-understudy-epoch': formatEpoch(context.epoch), 'x-understudy-act': headerText(context.act) },
        guard: () => context.assertMayAct(options.callDeadlineMs),
      }),
  };
}

type ClientInUse = Omit<ClientOptions, 'token'> & { readonly token: TokenCache };

/** Header values hold printable ASCII only; an act may name a job in any language. */
function headerText(act: string): string {
  return act.toWellFormed().replace(/[^\x20-\x7e]/gu, (character) => encodeURIComponent(character));
}

/** What one attempt showed. `lost`: whether it took effect is not known. */
type Outcome =
  | { readonly kind: 'done'; readonly value: Members }
  | { readonly kind: 'limited'; readonly waitMs: number | undefined }
  | { readonly kind: 'stale-token' }
  | { readonly kind: 'not-sent'; readonly cause: unknown }
  | { readonly kind: 'lost'; readonly cause: unknown };

async function withRetries(options: ClientInUse, agent: Agent, call: Call): Promise<Members> {
  const { clock, randomness } = options;
  const startedMs = clock.monotonicMs();
  /** An earlier attempt may have taken effect: from then on no failure may claim that nothing did. */
  let doubt: unknown;
  for (let attempt = 1; ; attempt++) {
    call.signal.throwIfAborted();
    const outcome = await once(options, agent, call, attempt);
    if (outcome.kind === 'done') return outcome.value;
    if (outcome.kind === 'stale-token') continue;
    if (outcome.kind === 'lost' && call.method === 'POST') doubt = outcome.cause;
    let waitMs = Math.min(backoffFirstMs * 2 ** (attempt - 1), backoffMsMax) * (0.5 + randomness.fraction() / 2);
    if (outcome.kind === 'limited') waitMs = outcome.waitMs ?? waitMs;
    const spent = call.signal.aborted || clock.monotonicMs() - startedMs >= retryBudgetMs;
    if (isLast(outcome, { attempt, waitMs, spent, repeatable: call.repeatable })) {
      if (doubt !== undefined) throw unknownOutcome(call.name, doubt);
      throw outcome.kind === 'limited' ? rateLimited(call.name, outcome.waitMs) : unreachable(call.name, outcome.cause);
    }
    await clock.sleep(waitMs, call.signal);
  }
}

function isLast(
  outcome: Exclude<Outcome, { kind: 'done' | 'stale-token' }>,
  so: { attempt: number; waitMs: number; spent: boolean; repeatable: boolean },
): boolean {
  if (so.attempt >= attemptsMax) return true;
  switch (outcome.kind) {
    case 'limited':
      return so.waitMs > retryAfterMsMax;
    case 'not-sent':
      return so.attempt >= connectAttemptsMax;
    case 'lost':
      return so.spent || !so.repeatable;
    default:
      return unreachableCase(outcome);
  }
}

async function once(options: ClientInUse, agent: Agent, call: Call, attempt: number): Promise<Outcome> {
  const token = await options.token.read(call.signal);
  const { callDeadlineMs } = options;
  const deadline = new AbortController();
  // No await between the guard and the request: the right to act is checked in the turn in which the write leaves.
  call.guard();
  const cancelDeadline = options.clock.after(callDeadlineMs, () =>
    deadline.abort(new DOMException(`no answer within ${callDeadlineMs} ms`, 'TimeoutError')),
  );
  try {
    const answer = await request(call.url, {
      dispatcher: agent,
      method: call.method,
      headers: { authorization: `Bearer ${token.value}`, accept: 'application/json', ...call.headers },
      ...(call.body === undefined ? {} : { body: call.body }),
      signal: AbortSignal.any([call.signal, deadline.signal]),
      headersTimeout: callDeadlineMs,
      bodyTimeout: callDeadlineMs,
    });
    if (answer.statusCode === 401 || answer.statusCode === 403) {
      options.token.forget();
      if (token.remembered && attempt === 1) {
        await answer.body.dump();
        return { kind: 'stale-token' };
      }
    }
    return judge(call, { status: answer.statusCode, headers: answer.headers, text: await bodyText(answer) });
  } catch (error) {
    if (codeOf(error) === 'DATABRICKS_REFUSED') throw error;
    if (call.method === 'GET') {
      call.signal.throwIfAborted();
      if (codeOf(error) === 'DATABRICKS_WRONG_REPLY') throw error;
    }
    return { kind: neverSent(error) ? 'not-sent' : 'lost', cause: error };
  } finally {
    cancelDeadline();
  }
}

/** Faults before the first byte of the request could leave: no route, no name, no listener, no trusted certificate. */
function neverSent(error: unknown): boolean {
  return /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_\w+|CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+)$/.test(
    codeOf(error),
  );
}

interface Answer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly text: string;
}

function judge(call: Call, answer: Answer): Outcome {
  const { status, text } = answer;
  if (status === 429) return { kind: 'limited', waitMs: retryAfterMs(answer.headers['retry-after']) };
  if (status >= 500) return { kind: 'lost', cause: refused(call.name, { status, body: tryParse(text) }) };
  if (status >= 400) throw refused(call.name, { status, body: tryParse(text) });
  const body = status === 200 ? tryParse(text === '' ? '{}' : text) : undefined;
  if (isRecord(body)) return { kind: 'done', value: body };
  const fault = wrongReply(`${call.name.call} was answered with ${status} and no JSON object`);
  // A write that was answered wrongly may still have taken effect; a read simply has no answer.
  if (call.method === 'GET') throw fault;
  return { kind: 'lost', cause: fault };
}

async function bodyText(answer: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > answerBytesMax) throw wrongReply(`the answer is larger than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tryParse(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return undefined;
  }
}

/** Delay seconds of RFC 9110 §10.2.3. The date form is not used: it would compare two machines' clocks. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined;
}
