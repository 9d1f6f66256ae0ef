// What SQLite and the file system report, in the ledger's own words.

import { ledgerInUse, ledgerUnreadable, ledgerUnwritable } from './errors.ts';

/** Result codes of sqlite.org/rescode.html; the low byte is the primary code. */
export function translateSqliteError(error: unknown, file: string): unknown {
  const system = (error as { code?: unknown }).code;
  if (error instanceof Error && typeof system === 'string' && /^E[A-Z]+$/.test(system))
    return ledgerUnwritable(file, error);
  const code = (error as { errcode?: unknown }).errcode;
  if (typeof code !== 'number') return error;
  switch (code & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return ledgerInUse(file, error);
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return ledgerUnreadable(file, 'the file is damaged or is not a SQLite file', error);
    case 8: // SQLITE_READONLY
    case 10: // SQLITE_IOERR
    case 13: // SQLITE_FULL
    case 14: // SQLITE_CANTOPEN
      return ledgerUnwritable(file, error);
    default:
      return error;
  }
}
