// Observations as the vendor keeps them, modelled on its ReplacingMergeTree: rows with the same project, trace, span and
// start time collapse into one (the newest wins), any other start time is a further row that readers see as a duplicate.
// How many raw rows each key received is counted, so that the lab can tell a replay from a single delivery.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Observation, ObservationDetail } from './span-mapping.ts';

export interface StoredRow extends Observation {
  readonly rowNumber: number;
  readonly storedAtMs: number;
  readonly updatedAtMs: number;
}

export interface ObservationQuery {
  readonly project: string;
  readonly nowMs: number;
  readonly limit: number;
  readonly fromUs?: number | undefined;
  readonly toUs?: number | undefined;
  readonly environments?: readonly string[] | undefined;
  readonly isRoot?: boolean | undefined;
  /** Column equals value; null asks for absence. */
  readonly equals: Readonly<Partial<Record<SearchColumn, string | null>>>;
  /** Only what comes after this row in the order of the listing. */
  readonly after?: { readonly startUs: number; readonly traceId: string; readonly spanId: string } | undefined;
}

export type SearchColumn = 'name' | 'type' | 'traceId' | 'userId' | 'sessionId' | 'level' | 'version' | 'parentSpanId';

export class SpanStore {
  readonly database: DatabaseSync;
  readonly #insert: StatementSync;

  constructor(database: DatabaseSync) {
    this.database = database;
    database.exec(`
      CREATE TABLE IF NOT EXISTS observations (rowNumber INTEGER PRIMARY KEY, project TEXT, traceId TEXT, spanId TEXT,
        startUs INTEGER, endUs INTEGER, parentSpanId TEXT, name TEXT, type TEXT, environment TEXT, isRoot INTEGER,
        level TEXT, version TEXT, userId TEXT, sessionId TEXT, detail TEXT, rawRows INTEGER, storedAtMs REAL,
        updatedAtMs REAL, visibleAtMs REAL, UNIQUE (project, traceId, spanId, startUs));
      CREATE INDEX IF NOT EXISTS observationsByStart ON observations (project, startUs);
    `);
    this.#insert = database.prepare(`
      INSERT INTO observations (project, traceId, spanId, startUs, endUs, parentSpanId, name, type, environment, isRoot,
        level, version, userId, sessionId, detail, rawRows, storedAtMs, updatedAtMs, visibleAtMs)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
      ON CONFLICT DO UPDATE SET rawRows = rawRows + 1, updatedAtMs = excluded.updatedAtMs, endUs = excluded.endUs,
        parentSpanId = excluded.parentSpanId, name = excluded.name, type = excluded.type, level = excluded.level,
        environment = excluded.environment, isRoot = excluded.isRoot, version = excluded.version,
        userId = excluded.userId, sessionId = excluded.sessionId, detail = excluded.detail`);
  }

  /** One transaction for the whole export: all of it is stored or nothing. */
  store(project: string, observations: readonly Observation[], at: { nowMs: number; visibleAtMs: number }): void {
    this.database.exec('BEGIN');
    try {
      for (const row of observations) this.#store(project, row, at);
      this.database.exec('COMMIT');
    } catch (error) {
      this.database.exec('ROLLBACK');
      throw error;
    }
  }

  #store(project: string, row: Observation, at: { nowMs: number; visibleAtMs: number }): void {
    this.#insert.run(
      project,
      row.traceId,
      row.spanId,
      row.startUs,
      row.endUs,
      row.parentSpanId,
      row.name,
      row.type,
      row.environment,
      row.isRoot ? 1 : 0,
      row.level,
      row.version,
      row.userId,
      row.sessionId,
      JSON.stringify(row.detail),
      at.nowMs,
      at.nowMs,
      at.visibleAtMs,
    );
  }

  /** Readable rows, newest start first. */
  find(query: ObservationQuery): StoredRow[] {
    const { where, values } = conditions(query);
    const rows = this.database
      .prepare(`SELECT * FROM observations WHERE ${where.join(' AND ')} ORDER BY startUs DESC, traceId, spanId LIMIT ?`)
      .all(...values, query.limit) as unknown as (Omit<StoredRow, 'detail' | 'isRoot'> & {
      detail: string;
      isRoot: number;
    })[];
    return rows.map((row) => ({
      ...row,
      isRoot: row.isRoot === 1,
      detail: JSON.parse(row.detail) as ObservationDetail,
    }));
  }
}

function conditions(query: ObservationQuery): { where: string[]; values: (string | number | null)[] } {
  const where = ['project = ?', 'visibleAtMs <= ?'];
  const values: (string | number | null)[] = [query.project, query.nowMs];
  const add = (condition: string, ...parameters: (string | number | null)[]): void => {
    where.push(condition);
    values.push(...parameters);
  };
  if (query.fromUs !== undefined) add('startUs >= ?', query.fromUs);
  if (query.toUs !== undefined) add('startUs < ?', query.toUs);
  for (const [column, value] of Object.entries(query.equals)) {
    add(`${column} IS ?`, value); // column names come from SearchColumn, never from a caller
  }
  if (query.isRoot !== undefined) add('isRoot = ?', query.isRoot ? 1 : 0);
  if (query.environments && query.environments.length > 0) {
    add(`environment IN (${query.environments.map(() => '?').join(', ')})`, ...query.environments);
  }
  if (query.after) {
    const { startUs, traceId, spanId } = query.after;
    add('startUs <= ?', startUs); // says what the next line implies, so that the index bounds the scan
    add('(startUs < ? OR (traceId, spanId) > (?, ?))', startUs, traceId, spanId);
  }
  return { where, values };
}
