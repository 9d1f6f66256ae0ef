// A streamed answer as it arrives. Before the first content every fault can still change the upstream, so nothing is
// passed on; after it bytes pass as they come; from the first finish reason on they are held until the end is recorded.

import { assert, isRecord, tryParseJson } from '#base';
import type { Fault } from '#resilience';
import type { ByteReader, ByteSource } from './call.ts';
import { FactsReader, type AnswerFacts } from './facts.ts';
import { EventSplitter, readEvent } from './sse.ts';
import { errorObjectOf, faultOfObject } from './upstream-error.ts';

/** Bytes kept before the first content, and held after the first finish reason. More is not an answer. */
const heldBytesMax = 8_388_608;
const doneEvent = Buffer.from('data: [DONE]\n\n');

export interface StreamSink {
  /** Bytes to pass on now. */
  pass(bytes: Buffer): void;
  /** The answer is whole; `held` is its end, from the first finish reason through `[DONE]`. */
  complete(held: Buffer): void;
  /** The answer is broken; what was held is not to be shown. */
  broken(fault: Fault): void;
}

type End = { readonly kind: 'complete' } | { readonly kind: 'broken'; readonly fault: Fault };

export class EventStream implements ByteReader {
  readonly #source: ByteSource;
  readonly #splitter = new EventSplitter();
  readonly #facts = new FactsReader();
  readonly #clean: (fault: Fault) => Fault;
  readonly #committed: (fault: Fault | undefined) => void;
  /** Events not yet passed on: all of them before a sink is there, those of one chunk afterwards. */
  #run: Buffer[] = [];
  #held: Buffer[] = [];
  #bytesKept = 0;
  #sink: StreamSink | undefined;
  #phase: 'before-content' | 'content' | 'finishing' | 'over' = 'before-content';
  #end: End | undefined;
  #sawDone = false;
  /** Undefined once the first content is there; else the fault that came before it. */
  readonly committed: Promise<Fault | undefined>;

  /** `clean` takes secrets out of what the upstream says. */
  constructor(source: ByteSource, clean: (fault: Fault) => Fault = (fault) => fault) {
    this.#source = source;
    this.#clean = clean;
    const { promise, resolve } = Promise.withResolvers<Fault | undefined>();
    this.committed = promise;
    this.#committed = resolve;
  }

  start(): void {
    this.#source.read(this);
  }

  /** Gives the stream to its one sink: what was kept passes at once. */
  forward(sink: StreamSink): void {
    assert(!this.#sink, 'a stream has one sink');
    this.#sink = sink;
    this.#flush();
    this.#tellEnd();
    if (!this.#end) this.#source.resume();
  }

  pause(): void {
    this.#source.pause();
  }

  resume(): void {
    this.#source.resume();
  }

  abort(): void {
    this.#phase = 'over';
    this.#source.abort();
  }

  facts(): AnswerFacts {
    return this.#facts.facts();
  }

  // ---- the source's side

  data(chunk: Buffer): void {
    if (this.#phase === 'over') return;
    const sizeFits = this.#splitter.push(chunk, (bytes) => this.#event(bytes));
    if (!sizeFits) this.#break(malformed('an event of the stream is too large'));
    else if (this.#bytesKept > heldBytesMax) this.#break(malformed('the stream holds back too much'));
    this.#flush();
    this.#tellEnd();
  }

  end(): void {
    if (this.#phase !== 'over') {
      const rest = this.#splitter.rest();
      // Some servers leave out the blank line after the last event.
      if (rest.length > 0 && isWholeEvent(rest)) this.#event(Buffer.concat([rest, Buffer.from('\n\n')]));
    }
    if (this.#isOpen()) this.#atEnd();
    this.#flush();
    this.#tellEnd();
  }

  fault(fault: Fault): void {
    if (this.#phase === 'over') return;
    this.#break(fault);
    this.#flush();
    this.#tellEnd();
  }

  // ---- events

  #event(bytes: Buffer): void {
    if (this.#phase === 'over') return;
    const { name, data } = readEvent(bytes);
    if (data === undefined) {
      // Comments keep a connection awake; before the content there is no connection to keep awake yet.
      if (this.#phase !== 'before-content') this.#keep(bytes);
      return;
    }
    if (data.trim() === '[DONE]') return this.#done(bytes);
    const parsed = tryParseJson(data);
    if (!parsed.ok || !isRecord(parsed.value)) return this.#break(malformed('an event of the stream is not JSON'));
    const error = name === 'error' ? (errorObjectOf(parsed.value) ?? parsed.value) : errorObjectOf(parsed.value);
    if (error) return this.#break(faultOfObject(error));
    const seen = this.#facts.note(parsed.value);
    if (seen.finish) this.#phase = 'finishing';
    else if (seen.content && this.#phase === 'before-content') this.#phase = 'content';
    this.#keep(bytes);
    if (this.#phase !== 'before-content') this.#commit();
  }

  #keep(bytes: Buffer): void {
    if (this.#phase === 'finishing') this.#held.push(bytes);
    else this.#run.push(bytes);
    if (this.#phase !== 'content' || !this.#sink) this.#bytesKept += bytes.length;
  }

  #commit(): void {
    if (!this.#sink) this.#source.pause();
    this.#committed(undefined);
  }

  #done(bytes: Buffer): void {
    this.#sawDone = true;
    if (this.#facts.finished) this.#held.push(bytes, missingLineFeed(bytes));
    this.#atEnd();
    this.#source.drain();
  }

  /** The upstream has ended the stream: whole only if every choice has its finish reason. */
  #atEnd(): void {
    if (this.#facts.finished) {
      if (!this.#sawDone) this.#held.push(doneEvent);
      return this.#complete();
    }
    if (!this.#facts.anyChoice) {
      return this.#break({ source: 'empty', code: 'upstream_empty_answer', message: 'the stream was empty' });
    }
    this.#break({ source: 'truncated', code: 'upstream_truncated', message: 'the stream ended before it was whole' });
  }

  #complete(): void {
    this.#phase = 'over';
    this.#end = { kind: 'complete' };
    this.#committed(undefined);
  }

  #break(seen: Fault): void {
    if (this.#phase === 'over') return;
    const fault = this.#clean(seen);
    this.#phase = 'over';
    this.#end = { kind: 'broken', fault };
    this.#committed(fault);
    this.#source.abort();
  }

  #isOpen(): boolean {
    return this.#phase !== 'over';
  }

  // ---- the sink's side

  #flush(): void {
    const [first] = this.#run;
    if (!this.#sink || first === undefined) return;
    const bytes = this.#run.length === 1 ? first : Buffer.concat(this.#run);
    this.#run = [];
    if (this.#held.length === 0) this.#bytesKept = 0;
    this.#sink.pass(bytes);
  }

  #tellEnd(): void {
    if (!this.#sink || !this.#end) return;
    const sink = this.#sink;
    const end = this.#end;
    this.#sink = undefined;
    if (end.kind === 'complete') sink.complete(Buffer.concat(this.#held));
    else sink.broken(end.fault);
  }
}

/** Of a CR LF that was split between two chunks, the second half: what follows `[DONE]` is not read any more. */
function missingLineFeed(bytes: Buffer): Buffer {
  return bytes.toString('latin1').endsWith('\r\n\r') ? Buffer.from('\n') : Buffer.alloc(0);
}

function isWholeEvent(rest: Buffer): boolean {
  const { data } = readEvent(rest);
  return data !== undefined && (data.trim() === '[DONE]' || tryParseJson(data).ok);
}

function malformed(message: string): Fault {
  return { source: 'malformed', code: 'upstream_malformed', message };
}
