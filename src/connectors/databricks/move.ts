// What every apply shares: where from, where to, under which right, how a create is made without ever making a twin, and
// what apply refuses.

import { codeOf, Failure, type Clock, type Site } from '#base';
import type { ActContext } from '../port.ts';
import type { DatabricksClient } from './client.ts';
import { saysMissing } from './failures.ts';
import type { ListedJob } from './jobs.ts';
import type { SiteReading } from './read.ts';
import type { RegionMap } from './region-map.ts';

/** A create is looked up after a lost answer and made once more only when it is not there. */
export const createsMax = 2;

export interface ApplyOptions {
  readonly clients: Readonly<Record<Site, DatabricksClient>>;
  readonly map: RegionMap;
  readonly notebookRoots: readonly string[];
  readonly clock: Clock;
  /** How long a create whose answer was lost may take to show up in a listing. */
  readonly settleMs: number;
}

/** One apply: where from, where to, and under which right. */
export interface Move extends ApplyOptions {
  readonly from: SiteReading;
  readonly to: SiteReading;
  readonly context: ActContext;
}

// ---- writing ---------------------------------------------------------------------------------------------------------

/**
 * One create. False when its answer was lost: after `settleMs` the caller looks it up by its marker and adopts what it
 * finds. `last`: give up instead, because what was looked up before was not there either.
 */
export async function createdOnce(
  move: Move,
  path: string,
  create: { body: Readonly<Record<string, unknown>>; last: boolean },
): Promise<boolean> {
  try {
    await move.to.client.act(path, create.body, move.context, { idempotent: false });
    return true;
  } catch (error) {
    if (codeOf(error) !== 'DATABRICKS_UNKNOWN_OUTCOME') throw error;
    await move.clock.sleep(move.settleMs, move.context.signal);
    if (create.last) throw error;
    return false;
  }
}

export async function actIfPresent(move: Move, path: string, body: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    await move.to.client.act(path, body, move.context, { idempotent: true });
  } catch (error) {
    if (!saysMissing(error)) throw error;
  }
}

// ---- what apply refuses ----------------------------------------------------------------------------------------------

export function sourceGone(move: Move, subject: string): Failure {
  return new Failure('DATABRICKS_SOURCE_GONE', `${subject} is no longer at ${move.from.site}`, {
    next: 'retry',
    hint: 'take the inventory again',
  });
}

export function stillWanted(move: Move, subject: string): Failure {
  return new Failure('DATABRICKS_STILL_WANTED', `${subject} exists at ${move.from.site} and is not deleted`, {
    next: 'retry',
    hint: 'take the inventory again',
  });
}

export function notCarried(subject: string, reason: string | undefined): Failure {
  return new Failure('DATABRICKS_NOT_CARRIED', `${subject} is not carried: ${reason ?? 'it is only listed'}`, {
    next: 'ask_operator',
  });
}

export function ambiguous(move: Move, name: string, jobs: readonly ListedJob[]): Failure {
  const jobIds = jobs.map((job) => job.jobId);
  return new Failure('DATABRICKS_AMBIGUOUS_JOB', `${jobs.length} jobs at ${move.to.site} are named ${name}`, {
    next: 'ask_operator',
    hint: 'rename all but one of them',
    details: { jobIds },
  });
}

export function lost(move: Move, subject: string): never {
  throw new Failure('DATABRICKS_REFERENCE_MISSING', `${subject} is not at ${move.to.site}`, {
    next: 'retry',
    hint: 'it was there a moment ago; run the same again',
  });
}
