// One exchange: a client's request from the moment its client is known to the durable record of its answer.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Failure, newId, randomHex } from '#base';
import type { ExchangeAttempt, ExchangeClose } from '#journal';
import { startDeadline, type Deadline } from '#resilience';
import type { Client } from '#stamp';
import { Capture } from './capture.ts';
import type { Core } from './core.ts';
import type { AnswerFacts } from './facts.ts';
import type { Lane } from './lane.ts';
import type { RoutePlan } from './plan.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { ChatRequest } from './request.ts';
import type { ToolDecision } from './tools.ts';
import { identityOf, keptHeadersOf, traceOf, type Trace } from './trace.ts';

/** How long a request that is refused may take to be recorded and told. */
const refusalMs = 10_000;

/** A record has a bound, whatever names a client sends. OpenAI allows 128 tools with names of 64 characters. */
const nameLengthMax = 256;
const toolsMax = 256;

/** What is known when an exchange begins; a request that is refused early knows little. */
export interface ExchangeStart {
  readonly client: Client;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
  readonly chat?: ChatRequest;
  readonly plan?: RoutePlan;
  readonly rehearsal?: Rehearsal;
  readonly tools?: ToolDecision;
  readonly noWrite: boolean;
}

export type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export class Exchange {
  readonly core: Core;
  readonly id: string;
  readonly trace: Trace;
  readonly client: Client;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly plan: RoutePlan | undefined;
  readonly rehearsal: Rehearsal | undefined;
  readonly lane: Lane;
  readonly deadline: Deadline;
  readonly capture: Capture;
  readonly attempts: Writable<ExchangeAttempt>[] = [];
  /** Grows stricter only: an exchange that lost the right to act does not get it back. */
  noWrite: boolean;
  firstContentAtMs: number | undefined;
  readonly #onClose: () => void;

  constructor(core: Core, start: ExchangeStart) {
    const { clock, randomness, journal, stamp } = core.options;
    this.core = core;
    this.id = newId('xc', { clock, randomness });
    this.trace = traceOf(start.request.headers, randomness);
    this.client = start.client;
    this.request = start.request;
    this.response = start.response;
    this.plan = start.plan;
    this.rehearsal = start.rehearsal;
    this.noWrite = start.noWrite;
    this.lane = core.lanes[start.rehearsal ? 'rehearsal' : 'production'];
    this.deadline = startDeadline(clock, start.plan?.deadlineMs ?? refusalMs);
    if (core.closing) this.deadline.abort(core.closing);
    core.running.set(start.response, this.deadline);
    this.#onClose = () => {
      if (!start.response.writableFinished) this.deadline.abort(new Failure('CLIENT_GONE', 'the client has left'));
    };
    start.response.once('close', this.#onClose);
    const onGap = (code: string): void => core.journalGap(code);
    const captureBytesMax = stamp.gateway.captureBytesMax;
    this.capture = new Capture({ journal, clock, captureBytesMax, onGap }, this.#opening(start), start.body);
  }

  /** `refuse` or `answer`, when the journal cannot be written. */
  get onJournalFailure(): 'refuse' | 'answer' {
    return this.plan?.route.onJournalFailure ?? 'answer';
  }

  /** Records the end; true when it is durable. */
  async close(end: {
    readonly outcome: ExchangeClose['outcome'];
    readonly status: number;
    readonly rung: string;
    readonly upstream: string;
    readonly error?: string;
    readonly facts?: AnswerFacts;
  }): Promise<boolean> {
    const { facts, ...rest } = end;
    const first = this.firstContentAtMs === undefined ? {} : { firstContentAtMs: this.firstContentAtMs };
    this.lane.count(end.outcome, end.rung);
    return this.capture.close({ ...rest, ...facts, ...first, attempts: this.attempts });
  }

  newSpanId(): string {
    return randomHex(8, this.core.options.randomness);
  }

  /** Lets go of timers and listeners. */
  release(): void {
    this.deadline.release();
    this.response.off('close', this.#onClose);
  }

  #opening(start: ExchangeStart): ConstructorParameters<typeof Capture>[1] {
    const { options } = this.core;
    return {
      exchange: this.id,
      ...this.trace,
      startedAtMs: options.clock.wallMs(),
      site: options.site,
      epoch: this.core.epoch(),
      tenant: start.client.tenant,
      client: start.client.id,
      route: start.plan?.route.id ?? '',
      requestedModel: (start.chat?.model ?? '').slice(0, nameLengthMax),
      stream: start.chat?.stream ?? false,
      behavior: start.plan?.behavior ?? '',
      mode: start.noWrite ? 'no-write' : 'normal',
      withheldTools: (start.tools?.withheld ?? []).slice(0, toolsMax).map((name) => name.slice(0, nameLengthMax)),
      // Without a route nobody has said that bodies may be kept.
      capture: start.plan?.route.capture ?? 'metadata',
      environment: start.rehearsal ? 'understudy-drill' : 'default',
      ...identityOf(start.request.headers, start.chat?.value ?? {}),
      headers: keptHeadersOf(start.request.headers),
    };
  }
}
