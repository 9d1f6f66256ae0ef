// The rehearsal lane: a client that may rehearse asks for faults, and they are made here in place of the call to the
// upstream. The lane has its own breakers, budgets and counters, and never offers a write tool.

import type { IncomingHttpHeaders } from 'node:http';
import type { Fault } from '#resilience';
import type { Client } from '#stamp';
import { errors } from './errors.ts';
import type { Outcome } from './request.ts';

export const rehearsalHeader = 'x-understudy-rehearsal';

export type InjectedFault = 'rate-limit' | 'outage';

/** Faults by upstream id; empty for a rehearsal without any (`canary`). */
export type Rehearsal = ReadonlyMap<string, InjectedFault>;

/** What the injected 429 asks for, milliseconds: short, so that the retry in place is rehearsed too. */
const injectedWaitMs = 20;

/** Undefined when the client asked for none. `rate-limit=<upstream>,outage=<upstream>`, or `canary`. */
export function rehearsalOf(
  headers: IncomingHttpHeaders,
  client: Client,
  upstreams: readonly { readonly id: string }[],
): Outcome<Rehearsal | undefined> {
  const header = headers[rehearsalHeader];
  if (header === undefined) return { ok: true, value: undefined };
  if (!client.rehearsal) {
    return { ok: false, error: errors.rehearsalNotAllowed(`Client ${client.id} may not use ${rehearsalHeader}.`) };
  }
  const faults = new Map<string, InjectedFault>();
  const parts = String(header).split(',');
  for (const part of parts.map((text) => text.trim())) {
    if (part === 'canary') continue;
    const [kind, upstream] = part.split('=', 2);
    if ((kind !== 'rate-limit' && kind !== 'outage') || upstream === undefined) {
      return invalid(`"${part.slice(0, 100)}" is none of rate-limit=UPSTREAM, outage=UPSTREAM and canary.`);
    }
    if (!upstreams.some((known) => known.id === upstream)) {
      return invalid(`there is no upstream "${upstream.slice(0, 100)}".`);
    }
    faults.set(upstream, kind);
  }
  return { ok: true, value: faults };
}

/** The fault as the upstream would have shown it. */
export function injectedFault(kind: InjectedFault): Fault {
  if (kind === 'outage')
    return { source: 'connect', code: 'upstream_unreachable', message: 'connection refused (rehearsed)' };
  return {
    source: 'status',
    status: 429,
    code: 'rate_limit_exceeded',
    type: 'requests',
    message: 'rate limit reached (rehearsed)',
    waitMs: injectedWaitMs,
  };
}

function invalid(message: string): Outcome<undefined> {
  return { ok: false, error: errors.invalidHeader(`${rehearsalHeader}: ${message}`, { param: rehearsalHeader }) };
}
