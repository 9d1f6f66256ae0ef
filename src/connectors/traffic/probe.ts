// Looks at the front door from both sides: can its origins be managed, and which site does a client reach through it?

import { Failure, type Finding, type Site } from '#base';
import { request } from 'undici';
import { findingOf, withDeadline } from '../azure/mod.ts';
import type { ReadContext } from '../port.ts';
import type { ResourceManager, TrafficParts } from './client.ts';

const outsideDeadlineMs = 5_000;

export async function probeTraffic(
  site: Site,
  context: ReadContext,
  parts: TrafficParts & { manager: ResourceManager },
): Promise<Finding[]> {
  const { origin } = parts.dependency[site];
  const subject = `front door origin ${origin} of ${site}`;
  try {
    const { enabled } = await parts.manager.origin(origin, context);
    return [{ verdict: 'pass', subject, detail: `can be read, ${enabled ? 'enabled' : 'disabled'}` }];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [findingOf(subject, error)];
  }
}

/** Calls the public address as a client does. Undefined when no gateway answered: the front door's own page, or nothing. */
export async function siteSeenFromOutside(context: ReadContext, parts: TrafficParts): Promise<Site | undefined> {
  const limits = { clock: parts.clock, signal: context.signal, deadlineMs: outsideDeadlineMs };
  try {
    return await withDeadline(limits, async (signal) => {
      const url = `${parts.dependency.publicUrl.replace(/\/+$/, '')}/livez`;
      const response = await request(url, { signal, headers: { 'cache-control': 'no-cache' } });
      await response.body.dump({ limit: 65_536, signal });
      const site = response.headers['x-understudy-site'];
      return site === 'home' || site === 'partner' ? site : undefined;
    });
  } catch {
    context.signal.throwIfAborted();
    return undefined;
  }
}
