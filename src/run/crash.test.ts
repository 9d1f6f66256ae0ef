// A run killed at any port call, before or after its effect, and resumed ends in the same state as one that was not. Every
// call of a run is tried: the ledger, the grantor’s own, connectors, schedules, traffic, the sites’ processes.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { authorityKey, openSqliteLedger } from '#ledger';
import type { RunKind } from '#runbook';
import { RunLog } from './log.ts';
import type { RunState } from './fold.ts';
import { rpoOf } from './outcome.ts';
import { standingOrdersKey, type StandingOrders } from './steps/watch.ts';
import { KillSwitch, type Kill } from './testing/kill-switch.ts';
import { PromptClock } from './testing/prompt-clock.ts';
import { live, prepare, run, type Rehearsal } from './testing/rehearsed-run.ts';

/** Calls without an effect: to die after one of them is to die before the next, which the other sweep tries. */
const reads = /\.(read|get|inventory|enabled|schedules|observationsOfTrace|heartbeat)$/;

interface Ended {
  readonly same: unknown;
  readonly calls: readonly string[];
  /** The call it died at; undefined when it was not killed. */
  readonly died: string | undefined;
}

async function rehearse(kind: RunKind, kill?: Kill): Promise<Ended> {
  const clock = new PromptClock();
  const ledger = await openSqliteLedger({ file: ':memory:', clock });
  try {
    const rehearsal = await prepare(kind, ledger, clock);
    const killSwitch = new KillSwitch(kill);
    const first = live(rehearsal, killSwitch);
    const died = await Promise.race([first.then(() => undefined), killSwitch.killed]);
    const state = died === undefined ? await first : await live(rehearsal);
    return { same: await sameState(state, rehearsal), calls: killSwitch.names, died };
  } finally {
    await ledger.close();
  }
}

/** Artifact digests, pause states, roles, routes, order of epochs, verdicts; and that nothing was done twice over. */
async function sameState(state: RunState, { truth, ledger }: Rehearsal): Promise<unknown> {
  const log = await RunLog.load(ledger, run);
  const orders = (await ledger.get(standingOrdersKey))?.value as unknown as StandingOrders | undefined;
  const moves = log.events.filter((event) => event.type === 'authority-moved');
  if (orders) assert.equal(orders.fencedAtMs, moves[0]?.atMs, 'the fence is dated by its event');
  return {
    authority: (await ledger.get(authorityKey))?.value,
    world: truth.summary(),
    traffic: truth.enabled,
    changed: [...new Set(truth.effects)],
    smokeRuns: truth.smokeRuns.size,
    phase: state.phase,
    outcome: state.outcome,
    epochs: moves.map((event) => [event.body.why, event.body.epoch, event.body.roles]),
    steps: state.plan.steps.map(({ id }) => {
      const step = state.steps[id];
      return step?.status === 'finished'
        ? [id, step.verdict, step.findings.map((finding) => `${finding.verdict} ${finding.subject}`)]
        : [id, step?.status];
    }),
    rpo: Object.keys(rpoOf(state)),
    approvals: state.approvals.map((entry) => entry.signed.person),
    orders: orders && [orders.run, orders.site, orders.epoch],
    finishes: log.events.filter((event) => event.type === 'run-finished').length,
  };
}

const kinds: readonly RunKind[] = ['failover', 'switchover', 'drill'];

for (const kind of kinds) {
  describe(`a ${kind} killed at any port call and resumed ends as one that was not`, () => {
    for (const when of ['before', 'after'] as const) {
      test(`${when} the call took effect`, async () => {
        const whole = await rehearse(kind);
        assert.equal((whole.same as { outcome: string }).outcome, 'completed');
        assert.ok(whole.calls.length > 60, `${whole.calls.length} calls are tried`);
        const wrong: string[] = [];
        for (const [index, name] of whole.calls.entries()) {
          if (when === 'after' && reads.test(name)) continue;
          const call = index + 1;
          const ended = await rehearse(kind, { call, when });
          assert.ok(ended.died, `call ${call} is reached`);
          try {
            assert.deepEqual(ended.same, whole.same);
          } catch (error) {
            wrong.push(`killed ${when} call ${call} (${ended.died}): ${(error as Error).message}`);
          }
        }
        assert.equal(wrong.length, 0, `${wrong.length} of ${whole.calls.length} differ; the first: ${wrong[0]}`);
      });
    }
  });
}

test('the comparison sees a difference: a run that really ends otherwise is not taken for the same', async () => {
  const failover = await rehearse('failover');
  const switchover = await rehearse('switchover');
  assert.notDeepEqual(failover.same, switchover.same);
});
