// Moves clients from one site to the other: enables the new origin, then disables the old one.

import { Failure, otherSite, type Site } from '#base';
import type { ActContext, ReadContext } from '../port.ts';
import type { ResourceManager, TrafficParts } from './client.ts';

/** Looks and writes per origin; between them an operation that is already under way is waited for. */
const attemptsMax = 5;
const conflictWaitMs = 1_000;

/**
 * Enabled first, disabled second. The other way round nobody would be answered for as long as the front door takes, which
 * is minutes. While both are enabled no harm is done: the old region was fenced before (runbook step 9), so whatever it
 * still answers is without acts; and if it is dead, clients were already getting nothing from it. When the second change
 * fails the front door still has an origin that answers, and repeating the move finishes it.
 */
export async function moveTraffic(
  to: Site,
  context: ActContext,
  parts: TrafficParts & { manager: ResourceManager },
): Promise<void> {
  await makeSo(to, true, context, parts);
  await makeSo(otherSite(to), false, context, parts);
}

async function makeSo(
  site: Site,
  enabled: boolean,
  context: ActContext,
  parts: TrafficParts & { manager: ResourceManager },
): Promise<void> {
  const name = parts.dependency[site].origin;
  let last: Failure | undefined;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    // Also after a lost answer: what holds already is not asked for again.
    if ((await parts.manager.origin(name, context)).enabled === enabled) return;
    try {
      return await parts.manager.setEnabled(name, enabled, context);
    } catch (error) {
      if (!(error instanceof Failure) || !mayRepeat(error)) throw error;
      last = error;
      await parts.clock.sleep(conflictWaitMs, context.signal);
    }
  }
  if ((await parts.manager.origin(name, context)).enabled === enabled) return;
  throw new Failure('TRAFFIC_NOT_MOVED', `origin ${name} could not be ${enabled ? 'enabled' : 'disabled'}`, {
    next: 'ask_operator',
    hint: 'change it by hand in the Front Door, or use the break-glass DNS record; repeating is safe',
    ...(last ? { cause: last } : {}),
  });
}

/** No answer, an operation under way, or a service that is down for the moment. */
function mayRepeat(failure: Failure): boolean {
  return ['TRAFFIC_TIMEOUT', 'TRAFFIC_UNREACHABLE', 'TRAFFIC_CONFLICT', 'TRAFFIC_UNAVAILABLE'].includes(failure.code);
}

export async function readEnabled(
  context: ReadContext,
  parts: TrafficParts & { manager: ResourceManager },
): Promise<Record<Site, boolean>> {
  const [home, partner] = await Promise.all([
    parts.manager.origin(parts.dependency.home.origin, context),
    parts.manager.origin(parts.dependency.partner.origin, context),
  ]);
  return { home: home.enabled, partner: partner.enabled };
}
