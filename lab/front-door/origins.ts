// The origin group of the front door, in the vendor's SQLite file: which origins are enabled, and the operations that
// change them. A change is accepted first and takes effect when its operation ends, also across a restart.

import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Site } from '#base';

export type EnabledState = 'Enabled' | 'Disabled';

export interface Origin {
  readonly name: string;
  readonly site: Site;
  readonly url: string;
  readonly enabledState: EnabledState;
}

export interface Operation {
  readonly id: string;
  readonly origin: string;
  readonly state: EnabledState;
  readonly dueAtMs: number;
  /** Which call asked for it, so that the effect can be laid at its door. */
  readonly askedId: number;
  readonly epoch: string | null;
  readonly done: number;
}

export class OriginTables {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync, origins: readonly Origin[]) {
    this.#database = database;
    database.exec(`
      CREATE TABLE IF NOT EXISTS origins (name TEXT PRIMARY KEY, site TEXT, url TEXT, enabledState TEXT);
      CREATE TABLE IF NOT EXISTS operations (id TEXT PRIMARY KEY, origin TEXT, state TEXT, dueAtMs REAL,
        askedId INTEGER, epoch TEXT, done INTEGER);
    `);
    for (const origin of origins) {
      // The state survives a restart; the address is configuration.
      database
        .prepare('INSERT INTO origins VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET url = excluded.url')
        .run(origin.name, origin.site, origin.url, origin.enabledState);
    }
  }

  origins(): Origin[] {
    return this.#database.prepare('SELECT * FROM origins ORDER BY name').all() as unknown as Origin[];
  }

  origin(name: string): Origin | undefined {
    return this.origins().find((origin) => origin.name.toLowerCase() === name.toLowerCase());
  }

  begin(asked: Omit<Operation, 'id' | 'done'>): Operation {
    const operation: Operation = { ...asked, id: randomUUID(), done: 0 };
    this.#database
      .prepare('INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?, 0)')
      .run(operation.id, asked.origin, asked.state, asked.dueAtMs, asked.askedId, asked.epoch);
    return operation;
  }

  operation(id: string): Operation | undefined {
    return this.#database.prepare('SELECT * FROM operations WHERE id = ?').get(id) as Operation | undefined;
  }

  pending(): Operation[] {
    return this.#database
      .prepare('SELECT * FROM operations WHERE done = 0 ORDER BY dueAtMs')
      .all() as unknown as Operation[];
  }

  /** Makes an operation's change; false when it was made before. */
  finish(operation: Operation): boolean {
    const result = this.#database.prepare('UPDATE operations SET done = 1 WHERE id = ? AND done = 0').run(operation.id);
    if (Number(result.changes) === 0) return false;
    this.#database.prepare('UPDATE origins SET enabledState = ? WHERE name = ?').run(operation.state, operation.origin);
    return true;
  }
}
