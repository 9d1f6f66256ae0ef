// The control plane's durable truth, as a port: an event log with expected sequence, and a compare-and-set map with
// watch. SQLite (embedded) implements it today, etcd later; one contract suite judges both.

import type { Json } from '#base';

export interface NewEvent {
  /** kebab-case past tense: `step-started`. */
  readonly type: string;
  readonly body: { readonly [key: string]: Json };
}

export interface LedgerEvent extends NewEvent {
  readonly stream: string;
  /** 1 for the first event of a stream, without gaps. */
  readonly sequence: number;
  /** Wall time of the append, milliseconds since the epoch; for people, never for decisions. */
  readonly atMs: number;
}

export interface Cell {
  readonly key: string;
  readonly value: Json;
  /** Grows by one with each write; 0 means the key does not exist. */
  readonly version: number;
}

/** A compare-and-set in the same transaction as an append: both happen or neither. */
export interface CellWrite {
  readonly key: string;
  readonly value: Json;
  readonly expectedVersion: number;
}

export interface Ledger {
  /**
   * Appends events after `expectedSequence` (0 for a new stream), durable when it resolves, optionally together with
   * cell writes. Rejects with `LEDGER_CONFLICT` when the stream has moved on or a cell has another version; then nothing
   * was written. Resolves to the sequence of the last event.
   */
  append(
    stream: string,
    expectedSequence: number,
    events: readonly NewEvent[],
    writes?: readonly CellWrite[],
  ): Promise<number>;
  /** Events with sequence > `afterSequence`, oldest first; at most `limit` (default 10,000). */
  read(stream: string, options?: { afterSequence?: number; limit?: number }): Promise<LedgerEvent[]>;
  /** Names of streams with the prefix, in order of name. */
  streams(prefix: string): Promise<string[]>;
  get(key: string): Promise<Cell | undefined>;
  /** Writes one cell; `LEDGER_CONFLICT` when its version is not `expectedVersion` (0: must not exist). */
  put(key: string, value: Json, expectedVersion: number): Promise<Cell>;
  list(prefix: string): Promise<Cell[]>;
  /** Yields each cell with the prefix now, then each later write, until the signal aborts. At least the newest state of
   * every changed cell is seen; steps in between may be skipped. */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<Cell>;
  close(): Promise<void>;
}
