// The simulated vault's secrets, in the vendor's SQLite file so that they survive SIGKILL. Versions only accumulate;
// a deleted secret keeps its name until it is recovered or purged.

import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

export interface Attributes {
  readonly enabled: boolean;
  /** Seconds since the Unix epoch. */
  readonly nbf: number | null;
  readonly exp: number | null;
}

export interface SecretVersion extends Attributes {
  readonly name: string;
  readonly version: string;
  readonly value: string;
  readonly contentType: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly created: number;
  readonly updated: number;
  readonly managed: boolean;
}

export interface NameState {
  readonly name: string;
  /** `deleting` and `recovering` last a moment, as they do at the vendor. */
  readonly state: 'live' | 'deleting' | 'deleted' | 'recovering';
  readonly sinceMs: number;
}

type Row = Omit<SecretVersion, 'enabled' | 'managed' | 'tags'> & { enabled: number; managed: number; tags: string };

export class SecretTables {
  readonly #database: DatabaseSync;
  readonly #transitionMs: number;

  constructor(database: DatabaseSync, transitionMs: number) {
    this.#database = database;
    this.#transitionMs = transitionMs;
    database.exec(`
      CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY COLLATE NOCASE, state TEXT, sinceMs REAL);
      CREATE TABLE IF NOT EXISTS versions (position INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, version TEXT UNIQUE,
        value TEXT, contentType TEXT, tags TEXT, enabled INTEGER, nbf INTEGER, exp INTEGER, created INTEGER,
        updated INTEGER, managed INTEGER);
    `);
  }

  /** What the name is now; a transition that has lasted long enough is over. */
  state(name: string, nowMs: number): NameState | undefined {
    const row = this.#database.prepare('SELECT * FROM names WHERE name = ?').get(name) as NameState | undefined;
    if (!row || nowMs - row.sinceMs < this.#transitionMs) return row;
    if (row.state === 'deleting') return { ...row, state: 'deleted' };
    if (row.state === 'recovering') return { ...row, state: 'live' };
    return row;
  }

  setState(name: string, state: NameState['state'], nowMs: number): void {
    this.#database
      .prepare('INSERT INTO names VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET state = ?, sinceMs = ?')
      .run(name, state, nowMs, state, nowMs);
  }

  purge(name: string): void {
    this.#database.prepare('DELETE FROM versions WHERE name = ?').run(name);
    this.#database.prepare('DELETE FROM names WHERE name = ?').run(name);
  }

  /** Names in order, after a name, whose state is one of those given. */
  names(after: string, states: readonly NameState['state'][], limit: number, nowMs: number): string[] {
    const rows = this.#database.prepare('SELECT name FROM names WHERE name > ? ORDER BY name').all(after) as {
      name: string;
    }[];
    const found: string[] = [];
    for (const { name } of rows) {
      const state = this.state(name, nowMs)?.state;
      if (state !== undefined && states.includes(state)) found.push(name);
      if (found.length === limit) break;
    }
    return found;
  }

  add(secret: Omit<SecretVersion, 'version' | 'created' | 'updated'>, nowSeconds: number): SecretVersion {
    const version = randomUUID().replaceAll('-', '');
    this.#database
      .prepare(
        'INSERT INTO versions (name, version, value, contentType, tags, enabled, nbf, exp, created, updated, managed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(
        secret.name,
        version,
        secret.value,
        secret.contentType,
        JSON.stringify(secret.tags),
        Number(secret.enabled),
        secret.nbf,
        secret.exp,
        nowSeconds,
        nowSeconds,
        Number(secret.managed),
      );
    return { ...secret, version, created: nowSeconds, updated: nowSeconds };
  }

  /** Changes what PATCH may change: never the value. */
  change(version: string, to: Attributes & Pick<SecretVersion, 'contentType' | 'tags'>, nowSeconds: number): void {
    this.#database
      .prepare(
        'UPDATE versions SET contentType = ?, tags = ?, enabled = ?, nbf = ?, exp = ?, updated = ? WHERE version = ?',
      )
      .run(to.contentType, JSON.stringify(to.tags), Number(to.enabled), to.nbf, to.exp, nowSeconds, version);
  }

  latest(name: string): SecretVersion | undefined {
    const row = this.#database
      .prepare('SELECT * FROM versions WHERE name = ? ORDER BY position DESC LIMIT 1')
      .get(name) as Row | undefined;
    return row && fromRow(row);
  }

  version(name: string, version: string): SecretVersion | undefined {
    const row = this.#database.prepare('SELECT * FROM versions WHERE name = ? AND version = ?').get(name, version) as
      Row | undefined;
    return row && fromRow(row);
  }

  versions(name: string, after: string, limit: number): SecretVersion[] {
    const rows = this.#database
      .prepare('SELECT * FROM versions WHERE name = ? AND version > ? ORDER BY version LIMIT ?')
      .all(name, after, limit) as unknown as Row[];
    return rows.map(fromRow);
  }
}

function fromRow(row: Row): SecretVersion {
  return {
    ...row,
    enabled: row.enabled === 1,
    managed: row.managed === 1,
    tags: JSON.parse(row.tags) as Record<string, string>,
  };
}
