// The side of the lease that grants: the ledger's owner says who may act, and never lets two sites hold the right at
// once, whatever is lost, late or restarted. Roles and epoch change only here, together with the event that says why.

import { assert, compareEpochs, sites, type Clock, type Epoch, type Role, type Site } from '#base';
import { authorityKey, foundingAuthority, type Authority } from './authority.ts';
import { actFenced, authorityInvalid, ledgerConflict } from './errors.ts';
import { checkRoles, clockRateAllowance, grantorWaitMs, leaseKey, mayBecomeUnderSameEpoch } from './lease-rules.ts';
import type { LastGrant } from './lease-rules.ts';
import type { CellWrite, Ledger, NewEvent } from './port.ts';
import { RunOut } from './run-out.ts';

export interface LeaseGrantorOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** `lease.ttl`: how long a grant lasts. */
  readonly ttlMs: number;
  /** Takes a safety away, so that a test can show that it is needed. Never set otherwise. */
  readonly weakenedForTests?: { readonly clockRateAllowance?: number; readonly skipRestartWait?: boolean };
}

/** The answer to a renewal; without `grant` the site may not act. */
export interface Renewal {
  readonly epoch: Epoch;
  readonly role: Role;
  readonly grant?: { readonly ttlMs: number };
}

/** The run's event that goes into the ledger in the same transaction as the change of roles. */
export interface AppendWith {
  readonly stream: string;
  readonly expectedSequence: number;
  readonly events: readonly NewEvent[];
}

export interface AuthorityChange {
  /** The epoch the caller saw; `LEDGER_CONFLICT` when it is no longer in force. */
  readonly expected: Epoch;
  readonly roles: Readonly<Record<Site, Role>>;
  /** The run that makes it so. */
  readonly by: string;
}

export class LeaseGrantor {
  readonly #ledger: Ledger;
  readonly #ttlMs: number;
  readonly #allowance: number;
  readonly #skipRestartWait: boolean;
  readonly #runOut: RunOut;
  #authority: Authority | undefined;
  #authorityVersion = 0;
  #last: LastGrant | undefined;
  #lastVersion = 0;
  /** Renewals and changes happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LeaseGrantorOptions) {
    assert(options.ttlMs > 0, 'a lease lasts some time');
    this.#ledger = options.ledger;
    this.#ttlMs = options.ttlMs;
    this.#allowance = options.weakenedForTests?.clockRateAllowance ?? clockRateAllowance;
    this.#skipRestartWait = options.weakenedForTests?.skipRestartWait ?? false;
    this.#runOut = new RunOut(options.clock);
  }

  /** Reads who may act (founding it in a new ledger) and starts the wait for leases that an earlier grantor gave. */
  async open(): Promise<void> {
    if ((await this.#ledger.get(authorityKey)) === undefined) {
      await this.#ledger.put(authorityKey, toJson(foundingAuthority), 0);
    }
    const authority = await this.#refresh();
    const cell = await this.#ledger.get(leaseKey);
    if (!cell) return;
    this.#last = cell.value as unknown as LastGrant;
    this.#lastVersion = cell.version;
    if (this.#skipRestartWait) return;
    const untilMs = grantorWaitMs(Math.max(this.#ttlMs, this.#last.ttlMs), this.#allowance);
    // In a promoted copy of a ledger the last grants may be missing, so either site may still hold a lease.
    const mayHold = this.#last.epoch.generation === authority.epoch.generation ? [this.#last.site] : sites;
    for (const site of mayHold) this.#runOut.granted(site, this.#last.epoch, untilMs);
  }

  /** Who may act, as last read from the ledger. */
  authority(): Authority {
    assert(this.#authority, 'the grantor is open');
    return this.#authority;
  }

  /** Answers a site's request: the epoch and its role, and a grant if it is active and nobody else may still hold one. */
  renew(site: Site, seenEpoch: Epoch | undefined): Promise<Renewal> {
    return this.#inTurn(async () => {
      const authority = await this.#refresh();
      const answer = { epoch: authority.epoch, role: authority.roles[site] };
      if (answer.role !== 'active' || this.#otherMayHold(site)) return answer;
      // A site that has seen a newer epoch than this ledger proves the ledger old: it must not grant.
      if (seenEpoch && compareEpochs(seenEpoch, authority.epoch) > 0) return answer;
      await this.#remember({ site, epoch: authority.epoch, ttlMs: this.#ttlMs });
      this.#runOut.granted(site, authority.epoch, grantorWaitMs(this.#ttlMs, this.#allowance));
      return { ...answer, grant: { ttlMs: this.#ttlMs } };
    });
  }

  /** Whether every lease ever granted to the site has certainly ended. */
  ranOut(site: Site): boolean {
    return this.#runOut.ranOut(site);
  }

  /** Resolves when `ranOut(site)`; rejects with the signal's reason. Only final once the site is no longer active. */
  waitUntilRanOut(site: Site, signal: AbortSignal): Promise<void> {
    return this.#runOut.wait(site, signal);
  }

  /**
   * The site says that it has dropped every right from before `epoch`: leases granted under older epochs count as run
   * out. A grant under `epoch` or a newer one stays, however late the message comes. Whoever sends it speaks for every
   * process of the site that uses the lease.
   */
  acknowledge(site: Site, epoch: Epoch): void {
    this.#runOut.dropped(site, epoch);
  }

  /** The active role moves: the epoch's number grows by one, in the same transaction as the events. */
  move(change: AuthorityChange, append: AppendWith): Promise<{ authority: Authority; sequence: number }> {
    return this.#change(change, append, (current) => ({
      epoch: { generation: current.epoch.generation, number: current.epoch.number + 1 },
      roles: change.roles,
      by: change.by,
    }));
  }

  /** Roles go forward under the same epoch (fenced → standby → active), in the same transaction as the events. */
  setRoles(change: AuthorityChange, append: AppendWith): Promise<{ authority: Authority; sequence: number }> {
    return this.#change(change, append, (current) => {
      for (const site of sites) {
        const [from, to] = [current.roles[site], change.roles[site]];
        if (!mayBecomeUnderSameEpoch(from, to))
          throw authorityInvalid(`${site} cannot go from ${from} to ${to} under the same epoch`);
      }
      return { epoch: current.epoch, roles: change.roles, by: change.by };
    });
  }

  /** Throws `ACT_FENCED` when a higher epoch than the caller's is in force. */
  assertCurrent(epoch: Epoch): void {
    const current = this.authority().epoch;
    if (compareEpochs(current, epoch) > 0) throw actFenced(epoch, current);
  }

  #change(
    change: AuthorityChange,
    append: AppendWith,
    next: (current: Authority) => Authority,
  ): Promise<{ authority: Authority; sequence: number }> {
    return this.#inTurn(async () => {
      const current = await this.#refresh();
      if (compareEpochs(current.epoch, change.expected) !== 0) {
        throw ledgerConflict('the active role has moved in the meantime', {
          expectedEpoch: change.expected,
          foundEpoch: current.epoch,
        });
      }
      checkRoles(change.roles);
      const authority = next(current);
      const write = { key: authorityKey, value: toJson(authority), expectedVersion: this.#authorityVersion };
      const { stream, expectedSequence, events } = append;
      const sequence = await this.#ledger.append(stream, expectedSequence, events, [write]);
      this.#authority = authority;
      this.#authorityVersion += 1;
      return { authority, sequence };
    });
  }

  #otherMayHold(site: Site): boolean {
    return sites.some((other) => other !== site && !this.#runOut.ranOut(other));
  }

  /** Written before the grant leaves, so that a successor knows whom to wait for. */
  async #remember(grant: LastGrant): Promise<void> {
    const { site, epoch, ttlMs } = grant;
    const last = this.#last;
    if (last?.site === site && compareEpochs(last.epoch, epoch) === 0 && last.ttlMs === ttlMs) return;
    const value: CellWrite['value'] = { site, epoch: { ...epoch }, ttlMs };
    const cell = await this.#ledger.put(leaseKey, value, this.#lastVersion);
    this.#last = grant;
    this.#lastVersion = cell.version;
  }

  async #refresh(): Promise<Authority> {
    const cell = await this.#ledger.get(authorityKey);
    assert(cell, 'the authority is in the ledger');
    if (cell.version !== this.#authorityVersion || this.#authority === undefined) {
      this.#authority = cell.value as unknown as Authority;
      this.#authorityVersion = cell.version;
    }
    return this.#authority;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

function toJson(authority: Authority): CellWrite['value'] {
  return { epoch: { ...authority.epoch }, roles: { ...authority.roles }, by: authority.by };
}
