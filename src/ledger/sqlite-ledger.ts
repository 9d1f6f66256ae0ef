// The ledger over an open SQLite file: every append is one transaction, on the disk when its promise resolves.
// The driver is synchronous, so nothing can slip in between a check and its write.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Failure, type Clock, type Json } from '#base';
import { ledgerClosed, ledgerConflict } from './errors.ts';
import { checkName, encodeWithin, readLimitDefault } from './limits.ts';
import type { Cell, CellWrite, Ledger, LedgerEvent, NewEvent } from './port.ts';
import { translateSqliteError } from './sqlite-errors.ts';
import { CellWatchers } from './watchers.ts';

interface CellRow {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

interface EventRow {
  readonly stream: string;
  readonly sequence: number;
  readonly type: string;
  readonly body: string;
  readonly atMs: number;
}

export class SqliteLedger implements Ledger {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #file: string;
  readonly #watchers = new CellWatchers();
  readonly #statements: Record<keyof typeof statements, StatementSync>;
  #closed = false;

  constructor(parts: { database: DatabaseSync; clock: Clock; file: string }) {
    this.#database = parts.database;
    this.#clock = parts.clock;
    this.#file = parts.file;
    this.#statements = Object.fromEntries(
      Object.entries(statements).map(([name, text]) => [name, parts.database.prepare(text)]),
    ) as Record<keyof typeof statements, StatementSync>;
  }

  async append(
    stream: string,
    expectedSequence: number,
    events: readonly NewEvent[],
    writes: readonly CellWrite[] = [],
  ): Promise<number> {
    await Promise.resolve();
    checkName(stream);
    for (const write of writes) checkName(write.key);
    const texts = encodeWithin([...events.map((event) => event.body), ...writes.map((write) => write.value)]);
    const atMs = Math.trunc(this.#clock.wallMs());
    const cells = this.#transaction(() => {
      this.#appendEvents(stream, expectedSequence, events, { texts, atMs });
      return writes.map((write, index) => this.#writeCell(write, texts[events.length + index] ?? ''));
    });
    this.#watchers.notify(cells);
    return expectedSequence + events.length;
  }

  async read(stream: string, options: { afterSequence?: number; limit?: number } = {}): Promise<LedgerEvent[]> {
    await Promise.resolve();
    const rows = this.#ask(() =>
      this.#statements.read.all(stream, options.afterSequence ?? 0, options.limit ?? readLimitDefault),
    ) as unknown as EventRow[];
    return rows.map((row) => ({ ...row, body: JSON.parse(row.body) as LedgerEvent['body'] }));
  }

  async streams(prefix: string): Promise<string[]> {
    await Promise.resolve();
    const rows = this.#ask(() => this.#statements.streams.all(prefix, prefix)) as unknown as { name: string }[];
    return rows.map((row) => row.name);
  }

  async get(key: string): Promise<Cell | undefined> {
    await Promise.resolve();
    const row = this.#ask(() => this.#statements.cell.get(key)) as unknown as CellRow | undefined;
    return row && cellOf(row);
  }

  async put(key: string, value: Json, expectedVersion: number): Promise<Cell> {
    await Promise.resolve();
    checkName(key);
    const [text = ''] = encodeWithin([value]);
    const cell = this.#transaction(() => this.#writeCell({ key, value, expectedVersion }, text));
    this.#watchers.notify([cell]);
    return cell;
  }

  async list(prefix: string): Promise<Cell[]> {
    await Promise.resolve();
    const rows = this.#ask(() => this.#statements.cells.all(prefix, prefix)) as unknown as CellRow[];
    return rows.map(cellOf);
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<Cell> {
    return this.#watchers.watch(prefix, signal, () => this.list(prefix));
  }

  async close(): Promise<void> {
    await Promise.resolve();
    if (this.#closed) return;
    this.#closed = true;
    this.#watchers.close();
    this.#database.close();
  }

  #appendEvents(
    stream: string,
    expectedSequence: number,
    events: readonly NewEvent[],
    parts: { texts: readonly string[]; atMs: number },
  ): void {
    const row = this.#statements.last.get(stream) as { lastSequence: number } | undefined;
    const found = row?.lastSequence ?? 0;
    if (found !== expectedSequence) {
      throw ledgerConflict(`stream ${stream} is at ${found}, not at ${expectedSequence}`, {
        stream,
        expectedSequence,
        foundSequence: found,
      });
    }
    if (events.length === 0) return;
    events.forEach((event, index) => {
      const sequence = expectedSequence + index + 1;
      this.#statements.append.run(stream, sequence, event.type, parts.texts[index] ?? '', parts.atMs);
    });
    this.#statements.advance.run(stream, expectedSequence + events.length);
  }

  #writeCell(write: CellWrite, text: string): Cell {
    const row = this.#statements.cell.get(write.key) as unknown as CellRow | undefined;
    const found = row?.version ?? 0;
    if (found !== write.expectedVersion) {
      throw ledgerConflict(`cell ${write.key} has version ${found}, not ${write.expectedVersion}`, {
        key: write.key,
        expectedVersion: write.expectedVersion,
        foundVersion: found,
      });
    }
    this.#statements.write.run(write.key, text, found + 1);
    // Parsed again, so that watchers never share an object with the writer.
    return { key: write.key, value: JSON.parse(text) as Json, version: found + 1 };
  }

  #transaction<Result>(work: () => Result): Result {
    return this.#ask(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        // SQLite has already rolled back after a full disk or an I/O error.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #ask<Result>(work: () => Result): Result {
    if (this.#closed) throw ledgerClosed();
    try {
      return work();
    } catch (error) {
      throw error instanceof Failure ? error : translateSqliteError(error, this.#file);
    }
  }
}

const statements = {
  last: 'SELECT lastSequence FROM streams WHERE name = ?',
  advance:
    'INSERT INTO streams (name, lastSequence) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET lastSequence = excluded.lastSequence',
  append: 'INSERT INTO events (stream, sequence, type, body, atMs) VALUES (?, ?, ?, ?, ?)',
  read: 'SELECT * FROM events WHERE stream = ? AND sequence > ? ORDER BY sequence LIMIT ?',
  // No name has a control character or an unpaired surrogate, so U+10FFFF sorts after every name with the prefix.
  streams: 'SELECT name FROM streams WHERE name >= ? AND name < ? || char(1114111) ORDER BY name',
  cell: 'SELECT key, value, version FROM cells WHERE key = ?',
  cells: 'SELECT key, value, version FROM cells WHERE key >= ? AND key < ? || char(1114111) ORDER BY key',
  write:
    'INSERT INTO cells (key, value, version) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version',
};

function cellOf(row: CellRow): Cell {
  return { key: row.key, value: JSON.parse(row.value) as Json, version: row.version };
}
