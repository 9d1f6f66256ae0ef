// One HTTP call to an upstream over undici's dispatch API: connect, first-byte and idle timeouts on our own clock, and
// the answer as a source of bytes that can be paused. Faults are values, not exceptions.

import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { codeOf, unreachable, type Clock } from '#base';
import type { Fault } from '#resilience';

export interface CallOptions {
  readonly dispatcher: Dispatcher;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly clock: Clock;
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly idleMs: number;
  /** Aborts the call at any time. A body under way then ends in a fault of source `deadline`. */
  readonly signal: AbortSignal;
  /** Asked in the same turn as the request is written; false: it is not written. */
  readonly mayWrite?: () => boolean;
}

export interface ByteReader {
  data(chunk: Buffer): void;
  end(): void;
  fault(fault: Fault): void;
}

export interface ByteSource {
  /** Sets the reader; what has come in the meantime is given to it at once. */
  read(reader: ByteReader): void;
  pause(): void;
  resume(): void;
  /** Ends the call; the reader hears nothing more. */
  abort(): void;
  /** Lets the call end by itself, so that its connection can be used again; what still comes is thrown away. */
  drain(): void;
}

export type CallResult =
  | { readonly kind: 'head'; readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: ByteSource }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'not-written' }
  | { readonly kind: 'aborted' };

/** Resolves when the head of the answer is there, or when it is certain that none comes. */
export function callUpstream(options: CallOptions): Promise<CallResult> {
  return new Promise((resolve) => new Call(options, resolve).start());
}

/** After the last event that matters, an upstream has this long to end its answer before the connection is given up. */
const drainMs = 1_000;
const drainBytesMax = 65_536;

type Phase = 'connecting' | 'awaiting-head' | 'body' | 'over';

class Call implements Dispatcher.DispatchHandler, ByteSource {
  readonly #options: CallOptions;
  readonly #resolve: (result: CallResult) => void;
  readonly #onAbort = (): void => {
    if (this.#phase === 'body') this.#fail(abortedFault);
    else this.#over({ kind: 'aborted' });
  };
  readonly #startedMs: number;
  #phase: Phase = 'connecting';
  #controller: Dispatcher.DispatchController | undefined;
  #reader: ByteReader | undefined;
  #early: Buffer[] = [];
  #ended: { readonly fault?: Fault } | undefined;
  #lastByteMs = 0;
  #paused = false;
  #cancelTimer: () => void = () => undefined;

  constructor(options: CallOptions, resolve: (result: CallResult) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#startedMs = options.clock.monotonicMs();
  }

  start(): void {
    const { dispatcher, path, headers, body, signal } = this.#options;
    if (signal.aborted) return this.#over({ kind: 'aborted' });
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#watch();
    try {
      // Timeouts of zero: undici's own are coarse and run on another clock.
      dispatcher.dispatch({ path, method: 'POST', headers, body, headersTimeout: 0, bodyTimeout: 0 }, this);
    } catch (error) {
      this.#fail(connectionFault(error, 'connecting'));
    }
  }

  // ---- undici's side

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#phase === 'over') return controller.abort(new Error('no longer wanted'));
    if (this.#options.mayWrite?.() === false) return this.#over({ kind: 'not-written' });
    this.#phase = 'awaiting-head';
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200 || this.#phase !== 'awaiting-head') return;
    this.#phase = 'body';
    this.#lastByteMs = this.#options.clock.monotonicMs();
    this.#resolve({ kind: 'head', status, headers, body: this });
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#phase !== 'body') return;
    this.#lastByteMs = this.#options.clock.monotonicMs();
    if (this.#reader) this.#reader.data(chunk);
    else this.#early.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#phase !== 'body') return;
    this.#finish({});
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#phase !== 'over') this.#fail(connectionFault(error, this.#phase));
  }

  // ---- the reader's side

  read(reader: ByteReader): void {
    this.#reader = reader;
    const early = this.#early;
    this.#early = [];
    for (const chunk of early) reader.data(chunk);
    if (this.#ended) this.#tellEnd(reader, this.#ended);
  }

  pause(): void {
    if (this.#paused || this.#phase !== 'body') return;
    this.#paused = true;
    this.#controller?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    // Time spent on a slow client is not the upstream's silence.
    this.#lastByteMs = this.#options.clock.monotonicMs();
    if (this.#phase === 'body') this.#controller?.resume();
  }

  abort(): void {
    this.#reader = undefined;
    this.#early = [];
    if (this.#phase !== 'over') this.#over({ kind: 'aborted' });
  }

  drain(): void {
    if (this.#phase !== 'body') return;
    let bytes = 0;
    this.#reader = {
      data: (chunk) => {
        bytes += chunk.length;
        if (bytes > drainBytesMax) this.abort();
      },
      end: () => undefined,
      fault: () => undefined,
    };
    this.resume();
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(drainMs, () => this.abort());
  }

  // ---- time and ends

  /** One timer per call in most cases: when it fires, it looks at what is due now and sets itself again. */
  #watch(): void {
    const { clock } = this.#options;
    if (this.#phase === 'over') return;
    const nowMs = clock.monotonicMs();
    if (this.#paused) this.#lastByteMs = nowMs;
    const [dueMs, fault] = this.#due();
    if (nowMs >= dueMs) return this.#fail(fault);
    this.#cancelTimer = clock.after(dueMs - nowMs, () => this.#watch());
  }

  #due(): [dueMs: number, fault: Fault] {
    const { connectMs, firstByteMs, idleMs } = this.#options;
    switch (this.#phase) {
      case 'connecting':
        return [this.#startedMs + connectMs, timeoutFault('connect-timeout', `no connection within ${connectMs} ms`)];
      case 'awaiting-head': {
        const message = `no first byte within ${firstByteMs} ms`;
        return [this.#startedMs + firstByteMs, timeoutFault('first-byte-timeout', message)];
      }
      case 'body':
      case 'over':
        return [this.#lastByteMs + idleMs, timeoutFault('idle-timeout', `silent for ${idleMs} ms`)];
      default:
        return unreachable(this.#phase);
    }
  }

  #fail(fault: Fault): void {
    if (this.#phase === 'body') {
      this.#finish({ fault });
      this.#controller?.abort(new Error(fault.code));
    } else {
      this.#over({ kind: 'fault', fault });
    }
  }

  /** The body has ended, well or badly. */
  #finish(ended: { readonly fault?: Fault }): void {
    this.#settle();
    this.#ended = ended;
    if (this.#reader) this.#tellEnd(this.#reader, ended);
  }

  #tellEnd(reader: ByteReader, ended: { readonly fault?: Fault }): void {
    this.#ended = undefined;
    if (ended.fault) reader.fault(ended.fault);
    else reader.end();
  }

  /** The call ends without a (further) answer. Resolving twice does nothing. */
  #over(result: CallResult): void {
    this.#settle();
    this.#resolve(result);
    this.#controller?.abort(new Error('no longer wanted'));
  }

  #settle(): void {
    this.#phase = 'over';
    this.#cancelTimer();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
  }
}

const abortedFault: Fault = { source: 'deadline', code: 'deadline_exceeded', message: 'the deadline has passed' };

function timeoutFault(source: 'connect-timeout' | 'first-byte-timeout' | 'idle-timeout', message: string): Fault {
  return { source, code: 'upstream_timeout', message };
}

function connectionFault(error: unknown, phase: Phase): Fault {
  const code = codeOf(error);
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return timeoutFault('connect-timeout', `no connection (${code})`);
  }
  if (phase === 'connecting')
    return { source: 'connect', code: 'upstream_unreachable', message: `no connection (${code})` };
  return { source: 'reset', code: 'upstream_connection_lost', message: `the connection was lost (${code})` };
}
