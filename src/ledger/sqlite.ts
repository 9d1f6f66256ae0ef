// Opens the embedded ledger: one SQLite file, held by one process. Everything that can be wrong with the file is told
// here, before the first append.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure, type Clock } from '#base';
import { ledgerNewerFormat, ledgerUnreadable } from './errors.ts';
import type { Ledger } from './port.ts';
import { translateSqliteError } from './sqlite-errors.ts';
import { SqliteLedger } from './sqlite-ledger.ts';

/** `ULgr`: tells a ledger from any other SQLite file (sqlite.org/fileformat.html, "Application ID"). */
const applicationId = 0x55_4c_67_72;
const formatKnown = 1;

const tables = `
  CREATE TABLE streams (name TEXT PRIMARY KEY, lastSequence INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE events (stream TEXT NOT NULL, sequence INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
    atMs INTEGER NOT NULL, PRIMARY KEY (stream, sequence)) WITHOUT ROWID;
  CREATE TABLE cells (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
`;

export interface SqliteLedgerOptions {
  /** Path of the ledger; its folder is made when missing. `:memory:` in tests. */
  readonly file: string;
  readonly clock: Clock;
}

/**
 * Opens or founds the ledger. Rejects with `LEDGER_IN_USE` (another process holds it), `LEDGER_UNREADABLE` (damaged, or
 * no ledger), `LEDGER_NEWER_FORMAT`, `LEDGER_UNWRITABLE` (folder or disk).
 */
export async function openSqliteLedger(options: SqliteLedgerOptions): Promise<Ledger> {
  await Promise.resolve();
  const { file, clock } = options;
  let database: DatabaseSync | undefined;
  try {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
    // No waiting for a lock: a second controller must hear at once that it is one too many.
    database = new DatabaseSync(file, { timeout: 0 });
    prepare(database, file);
    return new SqliteLedger({ database, clock, file });
  } catch (error) {
    database?.close();
    throw error instanceof Failure ? error : translateSqliteError(error, file);
  }
}

function prepare(database: DatabaseSync, file: string): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  database.prepare('PRAGMA journal_mode = WAL').get();
  // FULL: an append is on the disk when its commit returns (sqlite.org/pragma.html#pragma_synchronous).
  database.exec('PRAGMA synchronous = FULL');
  database.exec('BEGIN EXCLUSIVE');
  const format = numberOf(database, 'PRAGMA user_version');
  const application = numberOf(database, 'PRAGMA application_id');
  const tableCount = numberOf(database, "SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table'");
  if (tableCount === 0 && format === 0 && application === 0) {
    database.exec(`${tables} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatKnown};`);
  } else if (application !== applicationId) {
    throw ledgerUnreadable(file, 'it is a SQLite file of another program');
  } else if (format > formatKnown) {
    throw ledgerNewerFormat(file, { found: format, known: formatKnown });
  } else {
    const health = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    if (health.quick_check !== 'ok') throw ledgerUnreadable(file, health.quick_check);
  }
  database.exec('COMMIT');
}

function numberOf(database: DatabaseSync, question: string): number {
  return Number(Object.values(database.prepare(question).get() ?? {})[0]);
}
