// Calls to one site's Langfuse over plain HTTP. Every call has a deadline that covers the body, and nothing is repeated
// except after a 429, which says that nothing was taken. (The official client repeats a POST after a 5xx, hides why a
// call failed, takes a sign-in page for an answer and leaves a running timer behind every failed call; it judges the
// lab's Langfuse instead.)

import { request } from 'undici';
import { assert, Failure, formatEpoch, tryParseJson, type Clock, type Randomness, type Site } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import type { ActContext, ReadContext } from '../port.ts';
import { failureOfReply, timedOut, unexpected, unreachable } from './failures.ts';

export interface LangfuseLimits {
  readonly readDeadlineMs: number;
  readonly writeDeadlineMs: number;
  readonly exportDeadlineMs: number;
  readonly probeDeadlineMs: number;
  /** How often one call is made when the server keeps answering 429. */
  readonly busyAttemptsMax: number;
  /** A longer wait than this is left to the caller. */
  readonly busyWaitMsMax: number;
  /** How long a write whose answer was lost may still take effect before it is looked up. */
  readonly settleMs: number;
  /** Observations per page; the server's own bound is 1000. */
  readonly observationsPerPage: number;
}

export const defaultLimits: LangfuseLimits = {
  readDeadlineMs: 15_000,
  writeDeadlineMs: 15_000,
  exportDeadlineMs: 15_000,
  probeDeadlineMs: 5_000,
  busyAttemptsMax: 4,
  busyWaitMsMax: 30_000,
  settleMs: 1_000,
  observationsPerPage: 1_000,
};

export interface SiteOptions {
  readonly dependency: DependencyOf<'langfuse'>;
  readonly site: Site;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly limits: LangfuseLimits;
}

export interface Call {
  /** For people: `create prompt greet`. */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the base URL, names in it already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** JSON text. */
  readonly body?: string;
  readonly deadlineMs: number;
  readonly context: ReadContext;
  /** Present on calls that change the world. */
  readonly act?: ActContext;
  /** Default true. */
  readonly authenticated?: boolean;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly contentType: string;
  readonly retryAfter: string | null;
}

/** A page of 1000 observations with their texts is large; more than this is not an answer but a flood. */
const replyBytesMax = 268_435_456;

export class SiteClient {
  readonly url: string;
  readonly clock: Clock;
  readonly limits: LangfuseLimits;
  readonly #options: SiteOptions;

  constructor(options: SiteOptions) {
    this.#options = options;
    this.url = options.dependency[options.site].url.replace(/\/+$/, '');
    this.clock = options.clock;
    this.limits = options.limits;
  }

  /** The JSON of a successful answer, undefined for an empty one. Waits out 429s; rejects with `LANGFUSE_…`. */
  async json(call: Call): Promise<unknown> {
    for (let attempts = 1; ; attempts++) {
      const reply = await this.send(call);
      if (reply.status >= 200 && reply.status < 300) return this.#jsonOf(reply, call);
      const failure = this.failureOf(reply, call.what);
      const waitMs = Number(failure.details['retryAfterMs']);
      const patient = attempts < this.limits.busyAttemptsMax && waitMs <= this.limits.busyWaitMsMax;
      if (failure.code !== 'LANGFUSE_BUSY' || !patient) throw failure;
      // A little longer than asked, and not in step with whoever was sent away at the same time.
      await this.clock.sleep(waitMs * (1 + this.#options.randomness.fraction() / 10), call.context.signal);
    }
  }

  /** One call whose status the caller judges. Rejects with `LANGFUSE_UNREACHABLE`, `_TIMEOUT`, `_UNEXPECTED`. */
  async send(call: Call): Promise<Reply> {
    const authorization = call.authenticated === false ? undefined : await this.#authorization(call.context);
    return this.#underDeadline(call, async (signal) => {
      // In the same turn as the write, after every await: the right to act must outlast the call.
      call.act?.assertMayAct(call.deadlineMs);
      const reply = await request(this.url + call.path + queryText(call.query), {
        method: call.method,
        signal,
        headers: headersOf(call, authorization),
        ...(call.body === undefined ? {} : { body: call.body }),
      });
      const { 'content-type': contentType, 'retry-after': retryAfter } = reply.headers;
      return {
        status: reply.statusCode,
        text: await this.#textOf(reply.body, call),
        contentType: typeof contentType === 'string' ? contentType : '',
        retryAfter: typeof retryAfter === 'string' ? retryAfter : null,
      };
    });
  }

  failureOf({ status, text, retryAfter }: Reply, what: string): Failure {
    return failureOfReply({ status, body: text, retryAfter, what, url: this.url, wallMs: this.clock.wallMs() });
  }

  #jsonOf(reply: Reply, call: Call): unknown {
    if (reply.text === '') return undefined;
    const parsed = tryParseJson(reply.text);
    if (!parsed.ok) throw unexpected(this.url, call.what, `it sent ${reply.contentType || 'no JSON'}`);
    return parsed.value;
  }

  async #textOf(body: AsyncIterable<Buffer>, call: Call): Promise<string> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += chunk.length;
      if (length > replyBytesMax) throw unexpected(this.url, call.what, `its reply is over ${replyBytesMax} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Aborts at the deadline or with the caller, and rejects with that reason whatever the call makes of it. */
  async #underDeadline<T>(call: Call, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = call.context;
    signal.throwIfAborted();
    const own = new AbortController();
    const cancel = this.clock.after(call.deadlineMs, () => own.abort(timedOut(this.url, call.what, call.deadlineMs)));
    const forward = (): void => own.abort(signal.reason);
    signal.addEventListener('abort', forward, { once: true });
    try {
      return await action(own.signal);
    } catch (error) {
      if (own.signal.aborted) throw own.signal.reason;
      throw error instanceof Failure ? error : unreachable(this.url, call.what, error);
    } finally {
      cancel();
      signal.removeEventListener('abort', forward);
    }
  }

  async #authorization(context: ReadContext): Promise<string> {
    const { dependency, site, secrets } = this.#options;
    const { publicKey, secretKey } = dependency[site];
    const secret = await secrets.read(secretKey, context.signal);
    return `Basic ${Buffer.from(`${publicKey}:${secret}`).toString('base64')}`;
  }
}

function queryText(query: Call['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

function headersOf(call: Call, authorization: string | undefined): Record<string, string> {
  assert(call.method === 'GET' || call.act || call.path.startsWith('/api/public/otel/'), 'every write is an act');
  return {
    accept: 'application/json',
    ...(authorization === undefined ? {} : { authorization }),
    ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(call.act
      ? {
          'x-understudy-epoch': formatEpoch(call.act.epoch),
          'x-understudy-act': call.act.act.replaceAll(/[^\x20-\x7e]/g, (character) => encodeURIComponent(character)),
        }
      : {}),
  };
}
