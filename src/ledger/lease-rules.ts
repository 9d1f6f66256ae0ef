// The arithmetic both ends of a lease share. Wall clocks are never compared; each end counts on its own monotonic clock,
// and each gives up one percent so that clocks running at different rates never make two holders.

import type { Epoch, Role, Site } from '#base';
import { authorityInvalid } from './errors.ts';

/** How far a clock's rate may be from true time: 1 %. Quartz is off by 0.01 %, a slewing NTP daemon by up to 0.05 %. */
export const clockRateAllowance = 0.01;

/** `lease.ttl` when the stamp names none. */
export const leaseTtlMsDefault = 15_000;

/** What a holder may use of a lease, counted from before it sent its request. */
export function holderValidityMs(ttlMs: number, allowance: number = clockRateAllowance): number {
  return ttlMs * (1 - allowance);
}

/** How long a grantor waits until a lease has certainly run out, counted from when it answered. */
export function grantorWaitMs(ttlMs: number, allowance: number = clockRateAllowance): number {
  return ttlMs * (1 + allowance);
}

/** The cell `lease`: who was granted last. Written when one of its values changes, not on each renewal. */
export interface LastGrant {
  readonly site: Site;
  readonly epoch: Epoch;
  readonly ttlMs: number;
}

export const leaseKey = 'lease';

/** Roles under one epoch only go this way; the way back needs a new epoch. */
const rank: Record<Role, number> = { fenced: 0, standby: 1, active: 2 };

/** Whether `to` is the same role or the next one under the same epoch. */
export function mayBecomeUnderSameEpoch(from: Role, to: Role): boolean {
  return rank[to] === rank[from] || rank[to] === rank[from] + 1;
}

/** Whether `to` lies further along the same epoch's way than `from`. */
export function isLaterUnderSameEpoch(from: Role, to: Role): boolean {
  return rank[to] > rank[from];
}

export function checkRoles(roles: Readonly<Record<Site, Role>>): void {
  if (roles.home === 'active' && roles.partner === 'active')
    throw authorityInvalid('two sites cannot be active at once');
}
