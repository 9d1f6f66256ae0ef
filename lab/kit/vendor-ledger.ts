// What was asked of a simulated vendor, by whom, and what took effect. This is the truth that the demo and the tests judge
// promises by; it survives SIGKILL of the vendor's process.

import { DatabaseSync } from 'node:sqlite';

export interface AskedRow {
  readonly id: number;
  /** Wall time when the call arrived, ms. */
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  /** Who asked, as the vendor knows it (a key's name, a client id); never a credential. */
  readonly principal: string;
  /** `x-understudy-epoch` of the call, when it carried one. */
  readonly epoch: string | null;
  /** `x-understudy-act` of the call, when it carried one. */
  readonly act: string | null;
  readonly status: number | null;
}

export interface EffectRow {
  readonly id: number;
  /** The call that caused it; null when the vendor acted by itself (a schedule that fired). */
  readonly askedId: number | null;
  readonly atMs: number;
  /** Wall time when the call that caused it arrived; null when the vendor acted by itself. */
  readonly askedAtMs?: number | null;
  /** `secret-set`, `job-created`, `job-run-started`, `span-stored`, `completion` … */
  readonly type: string;
  readonly key: string;
  readonly epoch: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

export class VendorLedger {
  readonly database: DatabaseSync;

  constructor(file: string) {
    this.database = new DatabaseSync(file);
    this.database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = OFF;
      CREATE TABLE IF NOT EXISTS asked (id INTEGER PRIMARY KEY, atMs REAL, method TEXT, path TEXT, principal TEXT,
        epoch TEXT, act TEXT, status INTEGER);
      CREATE TABLE IF NOT EXISTS effects (id INTEGER PRIMARY KEY, askedId INTEGER, atMs REAL, type TEXT, key TEXT,
        epoch TEXT, detail TEXT);
    `);
  }

  asked(row: Omit<AskedRow, 'id' | 'status'>): number {
    const result = this.database
      .prepare('INSERT INTO asked (atMs, method, path, principal, epoch, act) VALUES (?, ?, ?, ?, ?, ?)')
      .run(row.atMs, row.method, row.path, row.principal, row.epoch, row.act);
    return Number(result.lastInsertRowid);
  }

  answered(id: number, outcome: { status: number; principal: string }): void {
    this.database
      .prepare('UPDATE asked SET status = ?, principal = ? WHERE id = ?')
      .run(outcome.status, outcome.principal, id);
  }

  effect(row: Omit<EffectRow, 'id'>): void {
    this.database
      .prepare('INSERT INTO effects (askedId, atMs, type, key, epoch, detail) VALUES (?, ?, ?, ?, ?, ?)')
      .run(row.askedId, row.atMs, row.type, row.key, row.epoch, JSON.stringify(row.detail));
  }

  askedAfter(id: number, limit = 10_000): AskedRow[] {
    return this.database
      .prepare('SELECT * FROM asked WHERE id > ? ORDER BY id LIMIT ?')
      .all(id, limit) as unknown as AskedRow[];
  }

  effectsAfter(id: number, options: { type?: string; limit?: number } = {}): EffectRow[] {
    const rows = this.database
      .prepare(
        `SELECT effects.*, asked.atMs AS askedAtMs FROM effects LEFT JOIN asked ON asked.id = effects.askedId
         WHERE effects.id > ? AND (? IS NULL OR effects.type = ?) ORDER BY effects.id LIMIT ?`,
      )
      .all(id, options.type ?? null, options.type ?? null, options.limit ?? 10_000) as unknown as (Omit<
      EffectRow,
      'detail'
    > & { detail: string })[];
    return rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }));
  }
}
