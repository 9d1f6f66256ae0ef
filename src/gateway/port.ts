// The gateway as other folders see it: what it needs, what it offers, what it shows of itself.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Epoch, Randomness, Role, Site } from '#base';
import type { Journal, JournalState } from '#journal';
import type { BreakerView } from '#resilience';
import type { SecretReader, Stamp } from '#stamp';

/** What this site knows about its right to act. All answers come from memory, at once. */
export interface AuthorityView {
  readonly site: Site;
  /** `unknown` until the ledger has told: a role is never read from disk. */
  role(): Role | 'unknown';
  epoch(): Epoch | undefined;
  /** Whether the lease outlasts a call of `deadlineMs` that starts now. */
  mayAct(deadlineMs: number): boolean;
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  /** Stable, kebab-case. */
  readonly code: string;
  readonly message: string;
  readonly [fact: string]: unknown;
}

/** Another handler on the same port: the relay under `/api/public/`, the site agent under `/understudy/`. */
export interface Mount {
  /** Path prefix, with its slashes. */
  readonly prefix: string;
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

export interface GatewayOptions {
  readonly stamp: Stamp;
  readonly site: Site;
  readonly journal: Journal;
  readonly secrets: SecretReader;
  readonly authority: AuthorityView;
  readonly clock: Clock;
  readonly randomness: Randomness;
  log(line: LogLine): void;
  readonly mounts?: readonly Mount[];
  /** Instead of the port of the stamp; 0 takes any free one. */
  readonly port?: number;
}

export interface Gateway {
  /** Opens the site's port; rejects with `GATEWAY_PORT` when it cannot. */
  listen(): Promise<{ readonly url: string; readonly port: number }>;
  /** Answers one request: what `listen` calls, for a server of somebody else's. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  state(): GatewayState;
  /** Takes no new request, waits at most `drainMs` for running ones, then ends those with an error. */
  close(drainMs: number): Promise<void>;
}

export type LaneName = 'production' | 'rehearsal';

export interface UpstreamState {
  readonly id: string;
  readonly region: string;
  readonly breaker: BreakerView;
  /** Retries among the calls of the last ten seconds. */
  readonly budget: { readonly calls: number; readonly retries: number };
}

export interface LaneState {
  readonly upstreams: readonly UpstreamState[];
  /** Answers by the rung that gave them, since start. */
  readonly byRung: Readonly<Record<string, number>>;
  /** Exchanges by outcome (`answered`, `refused` …), since start. */
  readonly byOutcome: Readonly<Record<string, number>>;
}

/** JSON, without secrets. */
export interface GatewayState {
  readonly site: Site;
  readonly role: Role | 'unknown';
  /** `1.4`, or null when the ledger has not told. */
  readonly epoch: string | null;
  /** no-write while the lease does not allow acts; routes may declare it for themselves. */
  readonly mode: 'normal' | 'no-write';
  readonly inflight: number;
  readonly draining: boolean;
  readonly routes: readonly { readonly id: string; readonly behavior: string; readonly mode: 'normal' | 'no-write' }[];
  readonly lanes: Readonly<Record<LaneName, LaneState>>;
  /** Requests that were never an exchange: no known client, no room, or not for this surface. */
  readonly turnedAway: Readonly<Record<string, number>>;
  readonly journal: JournalState;
  /** Exchanges with a record missing because the journal could not be written. */
  readonly journalGaps: number;
}
