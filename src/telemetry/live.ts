// Follows the end of the journal and offers each item, rendered once, to every carrier. An exchange that never ends is
// declared interrupted after a bound, so that it cannot hold the journal for ever.

import { codeOf, describeError, type Clock } from '#base';
import type { Journal, JournalRecord } from '#journal';
import { renderOutput, type Interrupted } from './catch-up.ts';
import type { Carrier } from './carrier.ts';
import { ExchangeFold, type FoldOutput, type RunningExchange } from './fold.ts';
import type { TelemetryLimits } from './limits.ts';
import type { TelemetryLog } from './port.ts';

const retryAfterMs = 1_000;

export interface LiveParts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly limits: TelemetryLimits;
  readonly log: TelemetryLog;
  readonly interrupted: Interrupted;
  readonly stamp?: string;
}

export class LiveFold {
  /** Everything up to here was folded. */
  throughSequence: number;
  /** Wall time when the fold last stood at the journal's end. */
  drainedAtMs: number;
  unreadable = 0;
  readonly #parts: LiveParts;
  readonly #fold: ExchangeFold;
  readonly #runningSequences = new Set<number>();

  constructor(afterSequence: number, parts: LiveParts) {
    this.throughSequence = afterSequence;
    this.drainedAtMs = parts.clock.wallMs();
    this.#parts = parts;
    this.#fold = new ExchangeFold({ bytesMax: parts.limits.foldBytesMax });
  }

  get running(): Iterable<RunningExchange> {
    return this.#fold.running;
  }

  get runningCount(): number {
    return this.#fold.size;
  }

  isRunning(sequence: number): boolean {
    return this.#runningSequences.has(sequence);
  }

  async run(carriers: readonly Carrier[], signal: AbortSignal): Promise<void> {
    const { journal, clock, log } = this.#parts;
    while (!signal.aborted) {
      try {
        for await (const record of journal.read({ afterSequence: this.throughSequence, signal })) {
          this.#take(record, carriers);
          this.throughSequence = record.sequence;
        }
        if (this.throughSequence >= journal.durableSequence) this.drainedAtMs = clock.wallMs();
        await journal.waitForMore(this.throughSequence, signal);
      } catch (error) {
        if (signal.aborted) return;
        log({ level: 'error', code: 'journal-read-failed', error: codeOf(error), message: describeError(error) });
        await clock.sleep(retryAfterMs, signal).catch(() => {});
      }
    }
  }

  /** Declares exchanges interrupted that are open for too long, or that are too many. */
  sweep(carriers: readonly Carrier[]): void {
    const { clock, limits, log, interrupted } = this.#parts;
    for (const { sequence, open, seenAtMs } of this.#fold.running) {
      const old = clock.monotonicMs() - seenAtMs > limits.openAgeMsMax;
      if (!old && this.#fold.size <= limits.runningMax) break;
      interrupted.set(sequence, this.throughSequence);
      log({
        level: 'warn',
        code: 'exchange-never-ended',
        message: 'shipped as interrupted',
        exchange: open.exchange,
        sequence,
      });
      const output = this.#fold.end(open.exchange, undefined, this.throughSequence);
      if (output) this.#give(output, carriers);
    }
  }

  #take(record: JournalRecord, carriers: readonly Carrier[]): void {
    try {
      const output = this.#fold.push(record, this.#parts.clock.monotonicMs());
      if (record.kind === 'open') this.#runningSequences.add(record.sequence);
      if (output) this.#give(output, carriers);
    } catch (error) {
      // One record nobody can read must not hold up all the others. It stays in the journal and in the count.
      this.unreadable++;
      const { sequence, kind } = record;
      this.#parts.log({ level: 'error', code: 'record-unreadable', sequence, kind, message: describeError(error) });
    }
  }

  #give(output: FoldOutput, carriers: readonly Carrier[]): void {
    const sinceMs = this.#parts.clock.monotonicMs();
    if (output.kind === 'exchange') this.#runningSequences.delete(output.exchange.sequence);
    if (output.kind === 'exchange' && output.letGo) {
      const { sequence, open } = output.exchange;
      const range = { after: sequence - 1, through: sequence, fromMs: open.startedAtMs, sinceMs };
      for (const carrier of carriers) carrier.reread(range);
      return;
    }
    const item = renderOutput(output, this.#parts);
    for (const carrier of carriers) carrier.offer(item, sinceMs);
  }
}
