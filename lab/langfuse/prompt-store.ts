// Prompt versions as the vendor keeps them: numbered highest + 1 per name (so deleting the highest frees its number),
// labels unique per name and moved by whoever sets them, `latest` kept by the server, tags shared by all versions.

import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { systemClock } from '#base';
import type { CreatePrompt } from './prompt-schema.ts';

export interface PromptVersion {
  readonly id: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly projectId: string;
  readonly createdBy: 'API';
  readonly prompt: unknown;
  readonly name: string;
  readonly version: number;
  readonly type: 'text' | 'chat';
  readonly isActive: null;
  readonly config: unknown;
  readonly tags: readonly string[];
  readonly labels: readonly string[];
  readonly commitMessage: string | null;
}

export class PromptStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(`CREATE TABLE IF NOT EXISTS prompts (id TEXT PRIMARY KEY, project TEXT, name TEXT, version INTEGER,
      body TEXT, UNIQUE (project, name, version))`);
  }

  /** Every version of one name, or of all names, in ascending order. */
  versions(project: string, name?: string): PromptVersion[] {
    const rows = this.#database
      .prepare('SELECT body FROM prompts WHERE project = ? AND (? IS NULL OR name = ?) ORDER BY name, version')
      .all(project, name ?? null, name ?? null) as unknown as { body: string }[];
    return rows.map((row) => JSON.parse(row.body) as PromptVersion);
  }

  create(project: string, request: CreatePrompt): PromptVersion {
    const existing = this.versions(project, request.name);
    const newest = existing.at(-1);
    const now = new Date(systemClock.wallMs()).toISOString();
    const labels = [...new Set([...request.labels, 'latest'])];
    const tags = [...new Set(request.tags ?? newest?.tags)];
    const created: PromptVersion = {
      id: randomUUID(),
      createdAt: now,
      updatedAt: now,
      projectId: project,
      createdBy: 'API',
      prompt: request.prompt,
      name: request.name,
      version: (newest?.version ?? 0) + 1,
      type: request.type ?? 'text',
      isActive: null,
      config: request.config ?? {},
      tags,
      labels,
      commitMessage: request.commitMessage ?? null,
    };
    this.#atomically(() => {
      this.#moveLabelsAway(existing, { labels, now });
      for (const version of this.versions(project, request.name)) {
        if (!sameSet(version.tags, tags)) this.#write({ ...version, tags, updatedAt: now });
      }
      this.#write(created);
    });
    return created;
  }

  /** Labels are added, never taken off, except from the version that had them before. */
  addLabels(target: PromptVersion, newLabels: readonly string[]): PromptVersion {
    const now = new Date(systemClock.wallMs()).toISOString();
    const others = this.versions(target.projectId, target.name).filter(({ id }) => id !== target.id);
    const updated = { ...target, labels: [...new Set([...newLabels, ...target.labels])], updatedAt: now };
    this.#atomically(() => {
      this.#moveLabelsAway(others, { labels: newLabels, now });
      this.#write(updated);
    });
    return updated;
  }

  /** `latest` goes to the highest version that remains. */
  delete(targets: readonly PromptVersion[]): void {
    const [first] = targets;
    if (!first) return;
    const gone = new Set(targets.map(({ id }) => id));
    const highest = this.versions(first.projectId, first.name)
      .filter(({ id }) => !gone.has(id))
      .at(-1);
    this.#atomically(() => {
      for (const id of gone) this.#database.prepare('DELETE FROM prompts WHERE id = ?').run(id);
      if (highest && targets.some(({ labels }) => labels.includes('latest'))) {
        this.#write({ ...highest, labels: [...new Set([...highest.labels, 'latest'])] });
      }
    });
  }

  #moveLabelsAway(from: readonly PromptVersion[], move: { labels: readonly string[]; now: string }): void {
    for (const version of from) {
      const kept = version.labels.filter((label) => !move.labels.includes(label));
      if (kept.length < version.labels.length) this.#write({ ...version, labels: kept, updatedAt: move.now });
    }
  }

  #write(version: PromptVersion): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO prompts (id, project, name, version, body) VALUES (?, ?, ?, ?, ?)')
      .run(version.id, version.projectId, version.name, version.version, JSON.stringify(version));
  }

  #atomically(work: () => void): void {
    this.#database.exec('BEGIN');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());
}
