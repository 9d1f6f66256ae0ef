// Passes a stream on to the client: bytes as they come, at the client's pace, and its end only after the record of the
// exchange is durable. A stream that breaks after its first byte ends in an error event, never in `[DONE]`.

import { codeOf } from '#base';
import type { ExchangeClose } from '#journal';
import { reactionTo, type Fault } from '#resilience';
import { errorEvent, errors, type ApiError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { AnswerFacts } from './facts.ts';
import { linger, replyUnrecorded, speakerHeaders, type Speaker } from './reply.ts';
import { clientError, refusalError } from './upstream-error.ts';
import type { StreamSink } from './event-stream.ts';

/** What is streamed: a model's answer under way, or a declared message. */
export interface StreamedAnswer extends Speaker {
  readonly headers: Record<string, string>;
  readonly stream: {
    forward(sink: StreamSink): void;
    pause(): void;
    resume(): void;
    abort(): void;
    facts(): AnswerFacts;
  };
  /** Called once when the stream has ended, with the fault when it broke by the upstream's doing. */
  ended(fault: Fault | 'abandoned' | undefined): void;
}

export async function replyStream(exchange: Exchange, answer: StreamedAnswer): Promise<void> {
  const opened = await exchange.capture.opened();
  if (!opened && exchange.onJournalFailure === 'refuse') {
    answer.stream.abort();
    answer.ended('abandoned');
    return replyUnrecorded(exchange, answer);
  }
  if (!exchange.response.destroyed) {
    exchange.response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      ...answer.headers,
      ...speakerHeaders(exchange, answer),
    });
  }
  await new Promise<void>((resolve) => new Forwarder(exchange, answer, resolve).start());
}

class Forwarder implements StreamSink {
  readonly #exchange: Exchange;
  readonly #answer: StreamedAnswer;
  readonly #resolve: () => void;
  readonly #onDrain = (): void => this.#answer.stream.resume();

  constructor(exchange: Exchange, answer: StreamedAnswer, resolve: () => void) {
    this.#exchange = exchange;
    this.#answer = answer;
    this.#resolve = resolve;
  }

  start(): void {
    this.#exchange.response.on('drain', this.#onDrain);
    this.#answer.stream.forward(this);
  }

  pass(bytes: Buffer): void {
    this.#exchange.capture.pass(bytes);
    if (!this.#exchange.response.write(bytes)) this.#answer.stream.pause();
  }

  complete(held: Buffer): void {
    this.#answer.ended(undefined);
    void this.#complete(held).finally(this.#resolve);
  }

  broken(fault: Fault): void {
    const end = this.#endOf(fault);
    this.#answer.ended(end.outcome === 'truncated' ? fault : 'abandoned');
    this.#breakOff(end);
    this.#resolve();
  }

  async #complete(held: Buffer): Promise<void> {
    const { capture, response, onJournalFailure } = this.#exchange;
    const { rung, upstream } = this.#answer;
    capture.pass(held);
    const refuses = onJournalFailure === 'refuse';
    if (refuses && !capture.flush()) return this.#breakOff({ outcome: 'truncated', error: unrecorded });
    const facts = this.#answer.stream.facts();
    const recorded = await this.#exchange.close({ outcome: 'answered', rung, upstream, status: 200, facts });
    this.#end(!recorded && refuses ? errorEvent(unrecorded) : held);
    if (response.destroyed) return;
    linger(response, this.#exchange.core.options.clock);
  }

  /** Records the broken end, and tells it without waiting for the disk: nothing is claimed that needs the record. */
  #breakOff(end: { outcome: ExchangeClose['outcome']; error: ApiError }): void {
    const { rung, upstream } = this.#answer;
    const facts = this.#answer.stream.facts();
    const error = end.error.code ?? end.error.type;
    const event = errorEvent(end.error);
    if (end.outcome !== 'client_gone') this.#exchange.capture.pass(event);
    void this.#exchange.close({ outcome: end.outcome, rung, upstream, status: 200, error, facts });
    if (end.outcome === 'client_gone') this.#end(undefined);
    else this.#end(event);
  }

  #end(bytes: Buffer | undefined): void {
    const { response } = this.#exchange;
    response.off('drain', this.#onDrain);
    if (bytes && !response.destroyed) response.end(bytes);
    else response.destroy();
    if (bytes) linger(response, this.#exchange.core.options.clock);
  }

  #endOf(fault: Fault): { outcome: ExchangeClose['outcome']; error: ApiError } {
    const { signal } = this.#exchange.deadline;
    const ended = signal.aborted ? codeOf(signal.reason) : undefined;
    if (ended === 'CLIENT_GONE') return { outcome: 'client_gone', error: errors.internal('the client has left') };
    if (ended === 'GATEWAY_CLOSING') {
      return { outcome: 'interrupted', error: errors.closing('the gateway is closing; the answer is not whole') };
    }
    if (ended !== undefined) {
      return { outcome: 'truncated', error: errors.deadline('the deadline passed before the answer was whole') };
    }
    // A filter that stops an answer under way is told in its own words, like one that stops it before.
    const isRefusal = reactionTo(fault) === 'never';
    return { outcome: 'truncated', error: isRefusal ? refusalError(fault) : clientError(fault, this.#answer.upstream) };
  }
}

const unrecorded = errors.journalUnavailable('the answer cannot be recorded, and this route does not answer without');
