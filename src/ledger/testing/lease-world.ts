// Two holders and a grantor with clocks of their own and a network that delays and loses, driven op by op, for the tests
// that no two sites ever hold an unexpired lease.

import { ManualClock, otherSite, unreachable, type Epoch, type Role, type Site } from '#base';
import { LeaseGrantor, type Renewal } from '../lease-grantor.ts';
import { LeaseHolder, type RequestToken } from '../lease-holder.ts';
import type { Ledger } from '../port.ts';
import { openSqliteLedger } from '../sqlite.ts';
import { RatedClock } from './rated-clock.ts';

export const worldTtlMs = 1_000;

export type LeaseOp =
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'ask' | 'renew-fast' | 'acknowledge'; readonly site: Site }
  | { readonly do: 'deliver' | 'lose'; readonly pick: number }
  | { readonly do: 'restart' | 'swap' | 'fence' | 'promote' };

export interface WorldOptions {
  readonly rates: Readonly<Record<Site | 'grantor', number>>;
  readonly weakened?: { readonly clockRateAllowance?: number; readonly skipRestartWait?: boolean };
}

type Message =
  | { readonly to: 'grantor'; readonly site: Site; readonly token: RequestToken; readonly seen: Epoch | undefined }
  | { readonly to: 'holder'; readonly site: Site; readonly token: RequestToken; readonly renewal: Renewal }
  | { readonly to: 'acknowledged'; readonly site: Site; readonly epoch: Epoch };

export class LeaseWorld {
  readonly trueTime = new ManualClock();
  readonly holders: Record<Site, LeaseHolder>;
  readonly held: Record<Site, boolean> = { home: false, partner: false };
  readonly #options: WorldOptions;
  readonly #inFlight: Message[] = [];
  readonly #ledger: Ledger;
  grantor!: LeaseGrantor;

  private constructor(options: WorldOptions, ledger: Ledger) {
    this.#options = options;
    this.#ledger = ledger;
    const holder = (site: Site): LeaseHolder =>
      new LeaseHolder({
        clock: new RatedClock(this.trueTime, options.rates[site]),
        site,
        weakenedForTests: options.weakened ?? {},
      });
    this.holders = { home: holder('home'), partner: holder('partner') };
  }

  static async start(options: WorldOptions): Promise<LeaseWorld> {
    const ledger = await openSqliteLedger({ file: ':memory:', clock: new ManualClock() });
    const world = new LeaseWorld(options, ledger);
    await world.run({ do: 'restart' });
    return world;
  }

  close(): Promise<void> {
    return this.#ledger.close();
  }

  /** Throws when both sites may act at this moment. */
  async run(op: LeaseOp): Promise<void> {
    switch (op.do) {
      case 'advance':
        await this.trueTime.advance(op.ms);
        break;
      case 'ask':
        this.#ask(op.site);
        break;
      case 'renew-fast':
        this.#ask(op.site);
        await this.#deliver(this.#inFlight.length - 1);
        await this.#deliver(this.#inFlight.length - 1);
        break;
      case 'acknowledge':
        this.#acknowledge(op.site);
        break;
      case 'deliver':
        if (this.#inFlight.length > 0) await this.#deliver(op.pick % this.#inFlight.length);
        break;
      case 'lose':
        if (this.#inFlight.length > 0) this.#inFlight.splice(op.pick % this.#inFlight.length, 1);
        break;
      case 'restart':
        await this.#restart();
        break;
      case 'swap':
      case 'fence':
      case 'promote':
        await this.#change(op.do);
        break;
      default:
        unreachable(op);
    }
    const both = this.holders.home.mayAct() && this.holders.partner.mayAct();
    if (both) throw new Error('two sites hold an unexpired lease');
    for (const site of ['home', 'partner'] as const) this.held[site] ||= this.holders[site].mayAct();
  }

  #ask(site: Site): void {
    const holder = this.holders[site];
    const state = holder.state();
    const seen = state.phase === 'heard' ? state.epoch : undefined;
    this.#inFlight.push({ to: 'grantor', site, token: holder.requestStarted(), seen });
  }

  #acknowledge(site: Site): void {
    const state = this.holders[site].state();
    if (state.phase === 'heard') this.#inFlight.push({ to: 'acknowledged', site, epoch: state.epoch });
  }

  async #deliver(index: number): Promise<void> {
    const [message] = this.#inFlight.splice(index, 1);
    if (!message) return;
    if (message.to === 'acknowledged') {
      this.grantor.acknowledge(message.site, message.epoch);
    } else if (message.to === 'grantor') {
      const { site, token } = message;
      const renewal = await this.grantor.renew(site, message.seen);
      this.#inFlight.push({ to: 'holder', site, token, renewal });
    } else {
      const { renewal } = message;
      const holder = this.holders[message.site];
      if (renewal.grant) holder.granted(message.token, { ...renewal, ttlMs: renewal.grant.ttlMs });
      else holder.observe(renewal.epoch, renewal.role);
    }
  }

  async #restart(): Promise<void> {
    this.grantor = new LeaseGrantor({
      ledger: this.#ledger,
      clock: new RatedClock(this.trueTime, this.#options.rates.grantor),
      ttlMs: worldTtlMs,
      weakenedForTests: this.#options.weakened ?? {},
    });
    await this.grantor.open();
  }

  async #change(kind: 'swap' | 'fence' | 'promote'): Promise<void> {
    const { epoch, roles } = this.grantor.authority();
    const stream = `run/${epoch.number}-${this.trueTime.monotonicMs()}-${kind}`;
    const expectedSequence = (await this.#ledger.read(stream)).length;
    const append = { stream, expectedSequence, events: [{ type: 'moved', body: {} }] };
    const active: Site = roles.partner === 'active' ? 'partner' : 'home';
    const next = (mine: Role, other: Role): Record<Site, Role> =>
      ({ [active]: mine, [otherSite(active)]: other }) as Record<Site, Role>;
    if (kind === 'swap') {
      await this.grantor.move({ expected: epoch, roles: next('fenced', 'active'), by: 'test' }, append);
    } else if (kind === 'fence') {
      await this.grantor.move({ expected: epoch, roles: next('fenced', 'standby'), by: 'test' }, append);
    } else if (roles.home !== 'active' && roles.partner === 'standby') {
      await this.grantor.setRoles({ expected: epoch, roles: { ...roles, partner: 'active' }, by: 'test' }, append);
    }
  }
}
