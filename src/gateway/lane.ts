// A lane: breakers, retry budgets and counters of one kind of traffic. Production and rehearsal share nothing here, so
// that a drill leaves production as it was.

import { Breaker, RetryBudget } from '#resilience';
import type { UpstreamPlan } from './plan.ts';
import type { GatewayOptions, LaneName, LaneState } from './port.ts';

/** Retries never exceed a fifth of the calls to an upstream, beyond a few that are always allowed. */
const retryBudget = { share: 0.2, retriesMin: 10, windowMs: 10_000 };

export interface LaneUpstream {
  readonly plan: UpstreamPlan;
  readonly breaker: Breaker;
  readonly budget: RetryBudget;
}

export class Lane {
  readonly name: LaneName;
  readonly #upstreams = new Map<string, LaneUpstream>();
  readonly #byRung = new Map<string, number>();
  readonly #byOutcome = new Map<string, number>();

  constructor(name: LaneName, upstreams: readonly UpstreamPlan[], options: Pick<GatewayOptions, 'clock' | 'log'>) {
    this.name = name;
    for (const plan of upstreams) {
      const breaker = new Breaker(plan.breaker, options.clock, (from, to) => {
        const level = to === 'open' ? 'warn' : 'info';
        const message = `breaker of upstream ${plan.id} is ${to}, was ${from}`;
        options.log({ level, code: `breaker-${to}`, message, upstream: plan.id, lane: name });
      });
      this.#upstreams.set(plan.id, { plan, breaker, budget: new RetryBudget(retryBudget, options.clock) });
    }
  }

  upstream(plan: UpstreamPlan): LaneUpstream {
    const found = this.#upstreams.get(plan.id);
    if (!found) throw new TypeError(`upstream ${plan.id} is not part of the plan`);
    return found;
  }

  /** Counts a finished exchange. */
  count(outcome: string, rung: string): void {
    this.#byOutcome.set(outcome, (this.#byOutcome.get(outcome) ?? 0) + 1);
    if (outcome === 'answered') this.#byRung.set(rung, (this.#byRung.get(rung) ?? 0) + 1);
  }

  state(): LaneState {
    return {
      upstreams: [...this.#upstreams.values()].map(({ plan, breaker, budget }) => ({
        id: plan.id,
        region: plan.region,
        breaker: breaker.view(),
        budget: budget.view(),
      })),
      byRung: Object.fromEntries(this.#byRung),
      byOutcome: Object.fromEntries(this.#byOutcome),
    };
  }
}
