// Makes one artifact at the following site equal to the one at the leading site. What is equal already is not written; a
// create whose answer was lost is looked up by its marker before anything is repeated.

import { Failure, unreachable, type Site } from '#base';
import type { ActContext, Change } from '../port.ts';
import { bringJob, deleteJob } from './apply-job.ts';
import { bringNotebook, deleteNotebook } from './apply-notebook.ts';
import { bringPolicy, deletePolicy } from './apply-policy.ts';
import type { ApplyOptions, Move } from './move.ts';
import type { SiteReading } from './read.ts';

export const kinds = ['cluster-policy', 'notebook', 'job'] as const;

export async function applyChange(options: ApplyOptions, change: Change, context: ActContext): Promise<void> {
  const reading = (site: Site, as: SiteReading['as']): SiteReading => ({
    site,
    as,
    client: options.clients[site],
    map: options.map,
  });
  const move: Move = {
    ...options,
    from: reading(change.from, 'leading'),
    to: reading(change.to, 'following'),
    context,
  };
  const kind = kinds.find((known) => known === change.kind);
  const remove = change.action === 'delete';
  switch (kind) {
    case 'cluster-policy':
      return remove ? deletePolicy(move, change.key) : bringPolicy(move, change.key);
    case 'notebook':
      return remove ? deleteNotebook(move, change.key) : bringNotebook(move, change.key);
    case 'job':
      return remove ? deleteJob(move, change.key) : bringJob(move, change.key, 0);
    case undefined:
      throw new Failure('DATABRICKS_UNKNOWN_KIND', `Databricks carries no ${change.kind}`, {
        details: { kind: change.kind },
      });
    default:
      return unreachable(kind);
  }
}
