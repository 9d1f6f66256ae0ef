// What all requests of one gateway share: the plan, the lanes, the connections to upstreams, and the counters.

import { Pool } from 'undici';
import type { ServerResponse } from 'node:http';
import { formatEpoch, type Failure } from '#base';
import type { Deadline } from '#resilience';
import { authenticator, type Authentication } from './authenticate.ts';
import { Credentials } from './credentials.ts';
import { Lane } from './lane.ts';
import { planOf, type Plan, type UpstreamPlan } from './plan.ts';
import type { GatewayOptions, LaneName, LogLine } from './port.ts';
import { pooledRandomness } from './random-pool.ts';

/**
 * Offering a write tool is an act that takes effect when the request reaches the upstream. The right to act is checked
 * again in the turn of the write and must outlast this long, milliseconds: ample for a request to arrive.
 */
const offerActMs = 1_000;

/** The same warning is logged at most once in this time: an outage must not become a flood of lines. */
const sameWarningEveryMs = 1_000;
const warningsKeptMax = 1_000;

export class Core {
  readonly options: GatewayOptions;
  readonly plan: Plan;
  readonly lanes: Readonly<Record<LaneName, Lane>>;
  readonly credentials: Credentials;
  readonly authenticate: (headers: Parameters<ReturnType<typeof authenticator>>[0]) => Authentication;
  /** Responses under way, with the deadline that ends each. */
  readonly running = new Map<ServerResponse, Deadline | undefined>();
  closing: Failure | undefined;
  journalGaps = 0;
  readonly turnedAway = new Map<string, number>();
  readonly #pools = new Map<string, Pool>();
  readonly #warnedAtMs = new Map<string, number>();

  constructor(options: GatewayOptions) {
    this.options = { ...options, randomness: pooledRandomness(options.randomness), log: (line) => options.log(line) };
    this.plan = planOf(options.stamp);
    this.lanes = {
      production: new Lane('production', this.plan.upstreams, options),
      rehearsal: new Lane('rehearsal', this.plan.upstreams, options),
    };
    this.credentials = new Credentials(options);
    this.authenticate = authenticator(options.stamp.gateway.clients);
  }

  /** Connections to one origin. HTTP/1.1 only: pausing one slow stream must never hold up another. */
  pool(upstream: UpstreamPlan): Pool {
    const key = `${upstream.origin} ${upstream.connectMs}`;
    const known = this.#pools.get(key);
    if (known) return known;
    const pool = new Pool(upstream.origin, {
      allowH2: false,
      pipelining: 1,
      // Our own clock decides when connecting has failed; this one only cleans up the socket.
      connect: { timeout: upstream.connectMs + 1_000 },
      keepAliveTimeout: 10_000,
    });
    this.#pools.set(key, pool);
    return pool;
  }

  async closePools(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  /** `1.4`, or `none` while the ledger has not told. */
  epoch(): string {
    const epoch = this.options.authority.epoch();
    return epoch ? formatEpoch(epoch) : 'none';
  }

  /** Whether write tools may be offered now. */
  mayOfferWrites(): boolean {
    return this.options.authority.mayAct(offerActMs);
  }

  turnAway(why: string): void {
    this.turnedAway.set(why, (this.turnedAway.get(why) ?? 0) + 1);
  }

  /** Logs the line unless the same code was just logged for the same subject. */
  warn(subject: string, line: LogLine): void {
    const key = `${line.code} ${subject}`;
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - (this.#warnedAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < sameWarningEveryMs) return;
    if (this.#warnedAtMs.size >= warningsKeptMax) this.#warnedAtMs.clear();
    this.#warnedAtMs.set(key, nowMs);
    this.options.log(line);
  }

  journalGap(code: string): void {
    this.journalGaps++;
    this.warn(code, { level: 'error', code: 'journal-gap', message: `the journal cannot be written: ${code}` });
  }
}
