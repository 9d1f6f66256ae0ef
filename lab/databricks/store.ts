// What a workspace remembers, in the vendor's own SQLite file: it survives the loss of the process, not of the disk.

import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { formatExact, parseExact } from './json.ts';

export type Settings = Record<string, unknown>;

export interface WorkspaceObject {
  readonly path: string;
  readonly objectId: string;
  readonly type: 'DIRECTORY' | 'NOTEBOOK' | 'FILE';
  readonly language: string | null;
  readonly content: Uint8Array;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface Job {
  readonly jobId: string;
  readonly ordinal: number;
  readonly creator: string;
  readonly createdAt: number;
  readonly settings: Settings;
}

export interface Run {
  readonly runId: string;
  readonly ordinal: number;
  readonly jobId: string;
  readonly name: string;
  readonly creator: string;
  /** PERIODIC, CONTINUOUS, ONE_TIME or RUN_JOB_TASK. */
  readonly trigger: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** RUNNING, TERMINATED, INTERNAL_ERROR or SKIPPED. */
  readonly lifeCycle: string;
  /** SUCCESS, FAILED, CANCELED or empty. */
  readonly result: string;
  readonly message: string;
  readonly token: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  /** Runs that this run's run_job_tasks started. */
  readonly children: readonly string[];
}

export interface Policy {
  readonly policyId: string;
  readonly name: string;
  readonly creator: string;
  readonly createdAt: number;
  /** Everything the caller may set besides the name. */
  readonly body: Settings;
}

type Row = Record<string, unknown>;

export class Store {
  readonly #database: DatabaseSync;
  readonly #workspaceId: string;

  constructor(database: DatabaseSync, workspaceId: string) {
    this.#database = database;
    this.#workspaceId = workspaceId;
    database.exec(`
      CREATE TABLE IF NOT EXISTS objects (path TEXT PRIMARY KEY, objectId TEXT, type TEXT, language TEXT, content BLOB,
        createdAt REAL, modifiedAt REAL);
      CREATE TABLE IF NOT EXISTS jobs (jobId TEXT PRIMARY KEY, ordinal INTEGER, creator TEXT, createdAt REAL,
        settings TEXT);
      CREATE TABLE IF NOT EXISTS runs (runId TEXT PRIMARY KEY, ordinal INTEGER, jobId TEXT, startedAt REAL, active INTEGER,
        token TEXT, rest TEXT);
      CREATE INDEX IF NOT EXISTS runsByToken ON runs (token);
      CREATE INDEX IF NOT EXISTS runsActive ON runs (active);
      CREATE TABLE IF NOT EXISTS policies (policyId TEXT PRIMARY KEY, name TEXT UNIQUE, creator TEXT, createdAt REAL,
        body TEXT);
      CREATE TABLE IF NOT EXISTS ordinals (name TEXT PRIMARY KEY, value INTEGER);
    `);
  }

  /** Runs the changes of one call together, or none of them. */
  transaction<T>(action: () => T): T {
    this.#database.exec('SAVEPOINT vendor');
    try {
      const result = action();
      this.#database.exec('RELEASE vendor');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK TO vendor; RELEASE vendor');
      throw error;
    }
  }

  nextOrdinal(): number {
    const row = this.#database
      .prepare(
        `INSERT INTO ordinals VALUES ('ordinal', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
      )
      .get() as Row;
    return row['value'] as number;
  }

  /** A 64-bit id that no double can hold: always odd and above 2^62. No two workspaces share one. */
  idOf(kind: string, ordinal: number): string {
    const hash = createHash('sha256').update(`${this.#workspaceId}/${kind}/${ordinal}`).digest();
    return ((hash.readBigUInt64BE(0) >> 2n) | (1n << 62n) | 1n).toString();
  }

  // ---- workspace objects ----

  object(path: string): WorkspaceObject | undefined {
    return this.#database.prepare('SELECT * FROM objects WHERE path = ?').get(path) as WorkspaceObject | undefined;
  }

  objects(): WorkspaceObject[] {
    return this.#database.prepare('SELECT * FROM objects ORDER BY path').all() as unknown as WorkspaceObject[];
  }

  putObject(object: WorkspaceObject): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(
        object.path,
        object.objectId,
        object.type,
        object.language,
        object.content,
        object.createdAt,
        object.modifiedAt,
      );
  }

  deleteObject(path: string): void {
    this.#database.prepare('DELETE FROM objects WHERE path = ?').run(path);
  }

  // ---- jobs ----

  job(jobId: string): Job | undefined {
    const row = this.#database.prepare('SELECT * FROM jobs WHERE jobId = ?').get(jobId);
    return row && jobOf(row);
  }

  /** Newest first, as jobs/list gives them. */
  jobs(): Job[] {
    return this.#database.prepare('SELECT * FROM jobs ORDER BY ordinal DESC').all().map(jobOf);
  }

  putJob(job: Job): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?)')
      .run(job.jobId, job.ordinal, job.creator, job.createdAt, formatExact(job.settings));
  }

  deleteJob(jobId: string): void {
    this.#database.prepare('DELETE FROM jobs WHERE jobId = ?').run(jobId);
  }

  // ---- runs ----

  run(runId: string): Run | undefined {
    const row = this.#database.prepare('SELECT rest FROM runs WHERE runId = ?').get(runId);
    return row && runOf(row);
  }

  runByToken(token: string): Run | undefined {
    const row = this.#database.prepare('SELECT rest FROM runs WHERE token = ?').get(token);
    return row && runOf(row);
  }

  /** Newest first, as runs/list gives them. */
  runs(startedFrom: number): Run[] {
    const rows = this.#database
      .prepare('SELECT rest FROM runs WHERE startedAt >= ? ORDER BY ordinal DESC')
      .all(startedFrom);
    return rows.map(runOf);
  }

  activeRuns(): Run[] {
    return this.#database.prepare('SELECT rest FROM runs WHERE active = 1 ORDER BY ordinal').all().map(runOf);
  }

  putRun(run: Run): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(
        run.runId,
        run.ordinal,
        run.jobId,
        run.startedAt,
        run.lifeCycle === 'RUNNING' ? 1 : 0,
        run.token,
        JSON.stringify(run),
      );
  }

  // ---- cluster policies ----

  policy(policyId: string): Policy | undefined {
    const row = this.#database.prepare('SELECT * FROM policies WHERE policyId = ?').get(policyId);
    return row && policyOf(row);
  }

  policies(): Policy[] {
    return this.#database.prepare('SELECT * FROM policies ORDER BY createdAt, policyId').all().map(policyOf);
  }

  putPolicy(policy: Policy): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?, ?)')
      .run(policy.policyId, policy.name, policy.creator, policy.createdAt, formatExact(policy.body));
  }

  deletePolicy(policyId: string): void {
    this.#database.prepare('DELETE FROM policies WHERE policyId = ?').run(policyId);
  }
}

function jobOf(row: Row): Job {
  return { ...(row as unknown as Job), settings: parseExact(row['settings'] as string) as Settings };
}

function runOf(row: Row): Run {
  return JSON.parse(row['rest'] as string) as Run;
}

function policyOf(row: Row): Policy {
  return { ...(row as unknown as Policy), body: parseExact(row['body'] as string) as Settings };
}
