// Carries items to one destination and proves that they arrived. Three loops share one state: fresh items are sent as
// they come, older stretches of the journal are caught up beside them, and what was accepted is read back.

import { codeOf, describeError } from '#base';
import { Backlog, type BacklogParts } from './backlog.ts';
import { Health } from './health.ts';
import type { Item } from './item.ts';
import { InProof } from './proof.ts';
import type { Range } from './ranges.ts';
import { readBack } from './read-back.ts';
import { Sender, type Due } from './sender.ts';
import { Waker } from './waiting.ts';

export interface CarrierParts extends BacklogParts {
  /** The live fold still holds this exchange and will offer it when it ends. */
  readonly isRunning: (sequence: number) => boolean;
}

/** Something that is not dealt with yet: where it stands, when it began, since when it could have been sent. */
export interface Unsettled {
  readonly sequence: number;
  readonly atMs: number;
  readonly sinceMs: number;
}

export class Carrier {
  readonly intake: Health;
  readonly reads: Health;
  /** Spans sent again because they could not be read back. */
  resent = 0;
  readonly #parts: CarrierParts;
  readonly #waiting = new Map<number, Due>();
  #waitingBytes = 0;
  readonly #inProof: InProof;
  readonly #sender: Sender;
  readonly #backlog: Backlog;
  readonly #wakers = { send: new Waker(), backlog: new Waker(), proof: new Waker() };

  constructor(parts: CarrierParts) {
    this.#parts = parts;
    this.intake = new Health({ ...parts, side: 'intake' });
    this.reads = new Health({ ...parts, side: 'reads' });
    this.#inProof = new InProof(parts.limits, () => this.#wakers.proof.wake());
    this.#sender = new Sender(parts, { intake: this.intake, inProof: this.#inProof });
    this.#backlog = new Backlog(parts, {
      sender: this.#sender,
      reads: this.reads,
      waker: this.#wakers.backlog,
      owned: (sequence) => parts.isRunning(sequence) || this.#waiting.has(sequence) || this.#inProof.has(sequence),
    });
  }

  /** A fresh item. When there is no room it will be read from the journal again. */
  offer(item: Item, sinceMs: number): void {
    const { limits } = this.#parts;
    if (this.#waiting.size >= limits.waitingItemsMax || this.#waitingBytes + item.bytes > limits.waitingBytesMax) {
      this.reread({ after: item.sequence - 1, through: item.sequence, fromMs: item.atMs, sinceMs });
      return;
    }
    this.#waiting.set(item.sequence, { item, sinceMs });
    this.#waitingBytes += item.bytes;
    this.#wakers.send.wake();
  }

  /** A stretch of the journal that the destination must have. */
  reread(range: Range): void {
    this.#backlog.add(range);
  }

  /** Everything that was not accepted yet. */
  *unsent(): Generator<Unsettled> {
    for (const { item, sinceMs } of this.#waiting.values()) {
      yield { sequence: item.sequence, atMs: item.atMs, sinceMs };
    }
    for (const range of this.#backlog.ranges) {
      yield { sequence: range.after + 1, atMs: range.fromMs, sinceMs: range.sinceMs };
    }
  }

  /** Everything that was not read back yet. */
  *unproven(): Generator<Unsettled> {
    yield* this.unsent();
    for (const { outline, sinceMs } of this.#inProof.entries) {
      yield { sequence: outline.sequence, atMs: outline.atMs, sinceMs };
    }
  }

  /** Ends every pause: somebody wants to know now. */
  askNow(): void {
    this.intake.askNow();
    this.reads.askNow();
    this.#inProof.readSoon();
    for (const waker of Object.values(this.#wakers)) waker.wake();
  }

  /** Runs until the signal aborts. `prepared`: interrupted exchanges are known. */
  async run(signal: AbortSignal, prepared: Promise<void>): Promise<void> {
    await Promise.all([
      this.#loop(signal, () => this.#sendStep(signal)),
      this.#loop(signal, () => this.#proofStep(signal)),
      prepared.then(() => this.#loop(signal, () => this.#backlogStep(signal))),
    ]);
  }

  async #loop(signal: AbortSignal, step: () => Promise<void>): Promise<void> {
    const { clock, limits, log, destination } = this.#parts;
    while (!signal.aborted) {
      try {
        await step();
      } catch (error) {
        if (signal.aborted) return;
        // The steps handle what a destination can do; what arrives here is the journal or the disk.
        const message = describeError(error);
        this.intake.note(codeOf(error), message);
        log({ level: 'error', code: 'carrier-failed', message, error: codeOf(error), destination: destination.id });
        await clock.sleep(limits.backoffMaxMs, signal).catch(() => {});
      }
    }
  }

  async #sendStep(signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#parts;
    const [first] = this.#waiting.values();
    if (!first) return this.#wakers.send.wait(clock, signal);
    const ageMs = clock.monotonicMs() - first.sinceMs;
    const full = this.#waiting.size >= limits.batchSpansMax / 2 || this.#waitingBytes >= limits.batchBytesMax;
    if (!full && ageMs < limits.batchAgeMs) return this.#wakers.send.wait(clock, signal, limits.batchAgeMs - ageMs);
    if (this.#inProof.spans >= limits.inProofSpansMax) return this.#wakers.send.wait(clock, signal, limits.proofMaxMs);
    await this.intake.ready(this.#wakers.send, signal);
    const batch = this.#nextBatch();
    if (!(await this.#sender.send(batch, signal))) return;
    for (const { item } of batch) {
      this.#waiting.delete(item.sequence);
      this.#waitingBytes -= item.bytes;
    }
  }

  #nextBatch(): Due[] {
    const { limits } = this.#parts;
    const batch: Due[] = [];
    let spans = 0;
    let bytes = 0;
    for (const due of this.#waiting.values()) {
      spans += due.item.spans.length;
      bytes += due.item.bytes;
      if (batch.length > 0 && (spans > limits.batchSpansMax || bytes > limits.batchBytesMax)) break;
      batch.push(due);
    }
    return batch;
  }

  async #backlogStep(signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#parts;
    const waker = this.#wakers.backlog;
    if (this.#backlog.empty) return waker.wait(clock, signal);
    // Half of the room is kept for fresh items.
    if (this.#inProof.spans >= limits.inProofSpansMax / 2) return waker.wait(clock, signal, limits.proofMaxMs);
    await this.intake.ready(waker, signal);
    await this.#backlog.step(signal);
  }

  async #proofStep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const waker = this.#wakers.proof;
    const dueMs = this.#inProof.nextReadMs;
    if (dueMs === undefined) return waker.wait(clock, signal);
    const waitMs = dueMs - clock.monotonicMs();
    if (waitMs > 0) return waker.wait(clock, signal, waitMs);
    await this.reads.ready(waker, signal);
    const asked = this.#inProof.due(clock.monotonicMs());
    let found: Map<string, number>;
    try {
      found = await readBack(asked, { ...this.#parts, signal });
    } catch (error) {
      signal.throwIfAborted();
      this.reads.failed(error);
      return;
    }
    this.reads.succeeded();
    this.#sendAgain(this.#inProof.learn(asked, found, clock.monotonicMs()));
    this.#wakers.send.wake();
    this.#wakers.backlog.wake();
  }

  /** Accepted, and not readable after settling: a 200 proves nothing. */
  #sendAgain(givenUp: ReturnType<InProof['learn']>): void {
    if (givenUp.length === 0) return;
    const { destination, limits, log } = this.#parts;
    for (const { outline, sinceMs, missing } of givenUp) {
      this.resent += missing.size;
      const { sequence, atMs } = outline;
      this.reread({ after: sequence - 1, through: sequence, fromMs: atMs, sinceMs });
    }
    const message = `accepted and not readable after ${limits.settleMs} ms; sent again with the same ids`;
    this.reads.note('LANGFUSE_NOT_READABLE', message);
    log({ level: 'warn', code: 'spans-not-readable', message, destination: destination.id, items: givenUp.length });
  }
}
