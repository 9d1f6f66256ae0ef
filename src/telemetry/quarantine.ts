// Spans a destination refuses for good, with the reason, as JSON Lines on disk. A span is written here, synced, before it
// counts as dealt with; a person releases entries, which frees their journal segments.

import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isRecord, tryParseJson } from '#base';
import { encodeExport, spanId, type SpanUnit } from './item.ts';

export interface QuarantineEntry {
  readonly destination: string;
  readonly sequence: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly atMs: number;
  readonly code: string;
  readonly reason: string;
  /** The refused span as an export of its own, ready to be sent again by hand. */
  readonly export: string;
}

export class Quarantine {
  readonly #file: string;
  /** A crash can leave half a line at the end; it must not swallow the next one. */
  #cutLine = false;
  /** Sequence of each held span. */
  readonly #held = new Map<string, number>();
  readonly #released = new Set<string>();

  private constructor(file: string) {
    this.#file = file;
  }

  static async open(file: string): Promise<Quarantine> {
    const quarantine = new Quarantine(file);
    await mkdir(dirname(file), { recursive: true });
    const text = await readIfThere(file);
    quarantine.#cutLine = text !== '' && !text.endsWith('\n');
    for (const line of text.split('\n')) {
      const parsed = line === '' ? undefined : tryParseJson(line);
      if (parsed?.ok && isRecord(parsed.value)) quarantine.#learn(parsed.value);
    }
    return quarantine;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Lowest sequence that is still held: the journal keeps it. */
  get firstSequence(): number | undefined {
    return this.#held.size === 0 ? undefined : Math.min(...this.#held.values());
  }

  has(key: { readonly traceId: string; readonly spanId: string }): boolean {
    return this.#held.has(spanId(key)) || this.#released.has(spanId(key));
  }

  /** Keeps one refused span; durable when it resolves. */
  async keep(unit: SpanUnit, why: Pick<QuarantineEntry, 'destination' | 'atMs' | 'code' | 'reason'>): Promise<void> {
    const { traceId, spanId } = unit.span;
    const entry: QuarantineEntry = { ...why, sequence: unit.sequence, traceId, spanId, export: encodeExport([unit]) };
    await this.#append(entry);
    this.#learn(entry as unknown as Record<string, unknown>);
  }

  /** Lets go of everything held; returns how many spans. */
  async release(by: { readonly person: string; readonly reason: string; readonly atMs: number }): Promise<number> {
    const count = this.#held.size;
    if (count === 0) return 0;
    const line = { released: [...this.#held.keys()], ...by };
    await this.#append(line);
    this.#learn(line);
    return count;
  }

  #learn(line: Record<string, unknown>): void {
    if (Array.isArray(line['released'])) {
      for (const key of line['released'] as string[]) {
        this.#held.delete(key);
        this.#released.add(key);
      }
      return;
    }
    if (typeof line['sequence'] !== 'number') return;
    this.#held.set(`${String(line['traceId'])}/${String(line['spanId'])}`, line['sequence']);
  }

  async #append(line: object): Promise<void> {
    const handle = await open(this.#file, 'a', 0o600);
    try {
      await handle.appendFile(`${this.#cutLine ? '\n' : ''}${JSON.stringify(line)}\n`);
      await handle.datasync();
      this.#cutLine = false;
    } finally {
      await handle.close();
    }
  }
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
