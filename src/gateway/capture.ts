// The durable record of one exchange: `open` before the first byte of the answer leaves, `part`s as bytes pass, `close`
// before its end is shown. A record that cannot be written makes the capture incomplete, and it says so.

import { createHash, type Hash } from 'node:crypto';
import { codeOf, sha256, type Clock } from '#base';
import type { ExchangeClose, ExchangeOpen, Journal, NewRecord } from '#journal';

const partBytesMax = 65_536;
/** Bytes of a slow stream wait at most this long for their record. */
const partWaitMs = 100;
/** A journal that does not answer is treated as one that cannot be written. */
const journalWaitMs = 5_000;

export interface CaptureOptions {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly captureBytesMax: number;
  /** Called once when a record could not be written, with the journal's code. */
  onGap(code: string): void;
}

type CloseMeta = Omit<ExchangeClose, 'exchange' | 'endedAtMs' | 'answerBytes' | 'answerSha256'>;

export class Capture {
  readonly #options: CaptureOptions;
  readonly #exchange: string;
  readonly #full: boolean;
  readonly #hash: Hash = createHash('sha256');
  #opened: Promise<boolean> = Promise.resolve(false);
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #recordedBytes = 0;
  #answerBytes = 0;
  #cancelTimer: (() => void) | undefined;
  #gap = false;
  #began = true;
  #closed = false;

  constructor(options: CaptureOptions, meta: Omit<ExchangeOpen, 'requestBytes' | 'requestSha256'>, request: Buffer) {
    this.#options = options;
    this.#exchange = meta.exchange;
    this.#full = meta.capture === 'full';
    const open: ExchangeOpen = { ...meta, requestBytes: request.length, requestSha256: sha256(request) };
    const keepsBody = this.#full && request.length <= options.captureBytesMax;
    this.#opened = this.#append({ kind: 'open', meta: { ...open }, ...(keepsBody ? { body: request } : {}) });
  }

  /** Writes what waits for its record; true as long as every record so far could be written. */
  flush(): boolean {
    this.#writeParts();
    return !this.#gap;
  }

  /** Whether `open` became durable. */
  opened(): Promise<boolean> {
    return this.#opened;
  }

  /** Bytes of the answer that pass, or are about to. */
  pass(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#answerBytes += bytes.length;
    if (!this.#full || this.#answerBytes > this.#options.captureBytesMax) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= partBytesMax) this.#writeParts();
    else this.#cancelTimer ??= this.#options.clock.after(partWaitMs, () => this.#writeParts());
  }

  /** Writes `close`; true when it, and with it all before it, is durable. Later calls do nothing. */
  async close(meta: CloseMeta): Promise<boolean> {
    if (this.#closed) return false;
    this.#closed = true;
    this.#writeParts();
    const close: ExchangeClose = {
      exchange: this.#exchange,
      endedAtMs: this.#options.clock.wallMs(),
      ...meta,
      answerBytes: this.#answerBytes,
      answerSha256: this.#hash.digest('hex'),
    };
    // Records become durable in their order: the last one speaks for all.
    const durable = await this.#append({ kind: 'close', meta: { ...close } });
    return durable && !this.#gap;
  }

  #writeParts(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#waitingBytes === 0) return;
    const [first] = this.#waiting;
    const bytes = this.#waiting.length === 1 && first ? first : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (let start = 0; start < bytes.length; start += partBytesMax) {
      const body = bytes.subarray(start, start + partBytesMax);
      const meta = { exchange: this.#exchange, offset: this.#recordedBytes };
      this.#recordedBytes += body.length;
      this.#appendPart({ kind: 'part', meta, body });
    }
  }

  /** Nobody waits for a part by itself; `close` comes after it. */
  #appendPart(record: NewRecord): void {
    if (!this.#began) return;
    try {
      this.#options.journal.append(record).durable.catch((error: unknown) => this.#fail(codeOf(error)));
    } catch (error) {
      this.#fail(codeOf(error));
    }
  }

  /** Appends and waits until durable. What has no `open` gets no other record. */
  async #append(record: NewRecord): Promise<boolean> {
    if (!this.#began) return false;
    try {
      const { durable } = this.#options.journal.append(record);
      return await this.#inTime(durable);
    } catch (error) {
      if (record.kind === 'open') this.#began = false;
      this.#fail(codeOf(error));
      return false;
    }
  }

  async #inTime(durable: Promise<void>): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const cancel = this.#options.clock.after(journalWaitMs, () => resolve(false));
    try {
      const inTime = await Promise.race([durable.then(() => true), late]);
      if (!inTime) this.#fail('JOURNAL_SLOW');
      return inTime;
    } finally {
      cancel();
    }
  }

  #fail(code: string): void {
    if (this.#gap) return;
    this.#gap = true;
    this.#options.onGap(code);
  }
}
