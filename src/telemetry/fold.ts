// Folds journal records into whole exchanges. The live fold follows the journal's end; a catch-up uses the same fold over
// an older stretch. Memory is bounded: bodies that do not fit are let go, and the exchange is read again from the journal.

import { Failure } from '#base';
import type { ExchangeClose, ExchangeOpen, ExchangePart, JournalRecord, TelemetryMeta } from '#journal';
import type { FoldedExchange } from './spans.ts';

export type FoldOutput =
  /** An exchange is whole; `letGo`: its bodies stand only in the journal; `finished`: sequence of its last record. */
  | { readonly kind: 'exchange'; readonly exchange: FoldedExchange; readonly letGo: boolean; readonly finished: number }
  | { readonly kind: 'relayed'; readonly sequence: number; readonly meta: TelemetryMeta; readonly body: Uint8Array };

export interface RunningExchange {
  readonly sequence: number;
  readonly open: ExchangeOpen;
  readonly seenAtMs: number;
}

interface Entry extends RunningExchange {
  request: Uint8Array;
  parts: { offset: number; bytes: Uint8Array }[];
  bytes: number;
  letGo: boolean;
}

export class ExchangeFold {
  readonly #entries = new Map<string, Entry>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(options: { readonly bytesMax: number }) {
    this.#bytesMax = options.bytesMax;
  }

  /** Running exchanges, oldest first. */
  get running(): Iterable<RunningExchange> {
    return this.#entries.values();
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Throws `RECORD_UNREADABLE` when a record lacks what its kind must have. */
  push(record: JournalRecord, nowMs: number): FoldOutput | undefined {
    checkMeta(record);
    switch (record.kind) {
      case 'open':
        this.#open(record, nowMs);
        return undefined;
      case 'part':
        this.#part(record);
        return undefined;
      case 'close': {
        const close = record.meta as unknown as ExchangeClose;
        return this.end(close.exchange, close, record.sequence);
      }
      case 'otlp': {
        const meta = record.meta as unknown as TelemetryMeta;
        return { kind: 'relayed', sequence: record.sequence, meta, body: record.body };
      }
    }
  }

  /** Ends an exchange: with its close, or without one when it was interrupted. Unknown exchanges give nothing. */
  end(id: string, close: ExchangeClose | undefined, finished: number): FoldOutput | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    this.#entries.delete(id);
    this.#bytes -= entry.bytes;
    const answer = joined(entry.parts);
    const { sequence, open, request, letGo } = entry;
    return { kind: 'exchange', exchange: { sequence, open, request, answer, close }, letGo, finished };
  }

  #open(record: JournalRecord, seenAtMs: number): void {
    const open = record.meta as unknown as ExchangeOpen;
    const request = record.body;
    this.#entries.set(open.exchange, {
      sequence: record.sequence,
      open,
      seenAtMs,
      request,
      parts: [],
      bytes: request.length,
      letGo: false,
    });
    this.#grow(request.length);
  }

  #part(record: JournalRecord): void {
    const part = record.meta as unknown as ExchangePart;
    const entry = this.#entries.get(part.exchange);
    if (!entry || entry.letGo) return;
    entry.parts.push({ offset: part.offset, bytes: record.body });
    entry.bytes += record.body.length;
    this.#grow(record.body.length);
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) {
      let largest: Entry | undefined;
      for (const entry of this.#entries.values()) {
        if (!largest || entry.bytes > largest.bytes) largest = entry;
      }
      // The only one left is kept whole: one exchange is bounded by the gateway's capture limit.
      if (!largest || this.#entries.size === 1 || largest.bytes === 0) return;
      this.#bytes -= largest.bytes;
      Object.assign(largest, { request: new Uint8Array(), parts: [], bytes: 0, letGo: true });
    }
  }
}

const strings = {
  open: ['exchange', 'traceId', 'spanId', 'route', 'requestedModel', 'site', 'capture'],
  part: ['exchange'],
  close: ['exchange', 'outcome', 'rung', 'upstream'],
  otlp: ['contentType'],
} as const;
const numbers = { open: ['startedAtMs'], part: ['offset'], close: ['endedAtMs'], otlp: ['receivedAtMs'] } as const;

function checkMeta(record: JournalRecord): void {
  const wrong =
    strings[record.kind].find((key) => typeof record.meta[key] !== 'string') ??
    numbers[record.kind].find((key) => typeof record.meta[key] !== 'number') ??
    (record.kind === 'close' && !Array.isArray(record.meta['attempts']) ? 'attempts' : undefined);
  if (wrong === undefined) return;
  throw new Failure(
    'RECORD_UNREADABLE',
    `journal record ${record.sequence} (${record.kind}) has no readable ${wrong}`,
    {
      next: 'ask_operator',
    },
  );
}

/** Parts in order of their offset; a repeated or overlapping part counts once. */
function joined(parts: readonly { offset: number; bytes: Uint8Array }[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  let end = 0;
  for (const part of [...parts].sort((a, b) => a.offset - b.offset)) {
    const skip = Math.max(0, end - part.offset);
    if (skip >= part.bytes.length) continue;
    chunks.push(part.bytes.subarray(skip));
    end = part.offset + part.bytes.length;
  }
  return Buffer.concat(chunks);
}
