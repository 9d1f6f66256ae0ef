// Frees journal segments that every destination has for certain, and keeps the young ones for reconciliation unless the
// journal fills up.

import type { Clock } from '#base';
import type { Journal } from '#journal';
import type { TelemetryLimits } from './limits.ts';

/** Above this share of its bound the journal keeps nothing it need not keep. */
const fullShare = 0.5;
const samplesMax = 1_000;

export class JournalRelease {
  readonly #parts: { journal: Journal; clock: Clock; limits: TelemetryLimits };
  /** When the journal stood where: the age of its records. */
  #samples: { sequence: number; atMs: number }[];
  #nextMs: number;

  constructor(throughSequence: number, parts: { journal: Journal; clock: Clock; limits: TelemetryLimits }) {
    this.#parts = parts;
    // What is older than this process counts as just written.
    this.#samples = [{ sequence: throughSequence, atMs: parts.clock.monotonicMs() }];
    this.#nextMs = parts.clock.monotonicMs() + parts.limits.releaseEveryMs;
  }

  /** `settled`: through which sequence each destination has everything. */
  async step(settled: readonly number[]): Promise<void> {
    const { journal, clock, limits } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#nextMs || settled.length === 0) return;
    this.#nextMs = nowMs + limits.releaseEveryMs;
    const through = Math.min(...settled, this.#oldThrough(nowMs));
    if (through >= journal.state().firstSequence) await journal.release(through);
  }

  #oldThrough(nowMs: number): number {
    const { journal, limits } = this.#parts;
    const { bytes, bytesMax } = journal.state();
    const last = this.#samples.at(-1);
    if (!last || nowMs - last.atMs >= limits.journalKeepMs / samplesMax) {
      this.#samples.push({ sequence: journal.durableSequence, atMs: nowMs });
    }
    const old = this.#samples.filter(({ atMs }) => nowMs - atMs >= limits.journalKeepMs);
    this.#samples = this.#samples.slice(Math.max(0, old.length - 1));
    if (bytes >= bytesMax * fullShare) return Infinity;
    return old.at(-1)?.sequence ?? 0;
  }
}
