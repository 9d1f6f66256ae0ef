import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseStamp, type Stamp, type StepId } from '#stamp';
import { compilePlan, planHash, predictedAzureSeconds } from './compile.ts';
import type { Plan, RunKind } from './plan.ts';

const text = readFileSync(new URL('../../examples/stamp.azure.yaml', import.meta.url), 'utf8');

function stamp(): Stamp {
  const loaded = parseStamp(text, { file: 'stamp.yaml' });
  assert.ok(loaded.ok, 'the example is a right stamp');
  return loaded.stamp;
}

function plan(kind: RunKind, more: Partial<Parameters<typeof compilePlan>[0]> = {}): Plan {
  return compilePlan({ stamp: stamp(), stampDigest: 'd', kind, from: 'home', to: 'partner', ...more });
}

test('equal input gives an equal plan with an equal hash, and the input stays as it was', () => {
  const input = stamp();
  const before = JSON.stringify(input);
  const one = plan('failover', { stamp: input });
  assert.equal(JSON.stringify(input), before);
  assert.deepEqual(one, plan('failover'));
  assert.equal(planHash(one), planHash(plan('failover')));
  // The plan is read back from the ledger as JSON: what people approved must still be it.
  assert.equal(planHash(JSON.parse(JSON.stringify(one)) as Plan), planHash(one));
});

test('whatever people approve is in the hash', () => {
  const accepted = [{ job: 'nightly', reason: 'writes by merge', by: 'amara' }];
  const changed = stamp();
  changed.targets.rto = '91m';
  const plans = [
    plan('failover'),
    plan('switchover'),
    plan('failover', { stampDigest: 'e' }),
    plan('failover', { from: 'partner', to: 'home' }),
    plan('failover', { accepted }),
    plan('failover', { stamp: changed }),
  ];
  assert.equal(new Set(plans.map(planHash)).size, plans.length);
});

test('a drill has the gates and its cleaning up, needs nobody, and cannot move anything', () => {
  const drill = plan('drill');
  const ids = drill.steps.map((step) => step.id);
  for (const moving of ['approval', 'fence', 'final-delta', 'traffic', 'schedules'] as const) {
    assert.ok(!ids.includes(moving), moving);
  }
  assert.equal(drill.approvals, 0);
  assert.deepEqual(
    drill.steps.filter((step) => !step.gate).map((step) => step.id),
    ['watch'],
  );
});

test('every kind is in an order that can be carried out, and says of each step how it is undone', () => {
  for (const kind of ['drill', 'switchover', 'failover', 'failback'] as const) {
    const seen = new Set<StepId>();
    for (const step of plan(kind).steps) {
      assert.ok(
        step.after.every((before) => seen.has(before)),
        `${kind}: ${step.id} comes after what it needs`,
      );
      assert.ok(step.undo.length > 10, `${step.id} says how it is undone`);
      seen.add(step.id);
    }
  }
});

test('nothing is fenced before every gate and the approval', () => {
  const { steps } = plan('failover');
  const before = new Set<StepId>();
  const collect = (id: StepId): void => {
    for (const earlier of steps.find((step) => step.id === id)?.after ?? []) {
      before.add(earlier);
      collect(earlier);
    }
  };
  collect('fence');
  const gates = steps.filter((step) => step.id.startsWith('gate-')).map((step) => step.id);
  assert.equal(gates.length, 6);
  assert.ok([...gates, 'approval' as const, 'declare' as const].every((id) => before.has(id)));
});

test('accepted double executions name who accepted them', () => {
  const accepted = [{ job: 'nightly', reason: 'writes by merge', by: 'amara' }];
  assert.deepEqual(
    plan('failover', { accepted }).accepted.map((entry) => [entry.job, entry.by]),
    [
      ['claims-feature-refresh', 'stamp'],
      ['nightly', 'amara'],
    ],
  );
});

test('the time predicted for Azure is the longest path, and unknown when a step declares none', () => {
  const durations = stamp();
  const whole: Partial<Record<StepId, string>> = {};
  for (const step of plan('drill').steps) whole[step.id] = '1s';
  // declare 1 → slowest of two gates before the canary 60 → canary 1 → fallback 1 → watch 1; 100 beside it is longer.
  const predicted = (declared: Partial<Record<StepId, string>>): number | null => {
    durations.azureDurations = declared;
    return predictedAzureSeconds(plan('drill', { stamp: durations }));
  };
  assert.equal(predicted(whole), 5);
  assert.equal(predicted({ ...whole, 'gate-egress': '60s' }), 64);
  assert.equal(predicted({ ...whole, 'gate-egress': '60s', 'gate-artifacts': '100s' }), 102);
  const { 'gate-telemetry': _left, ...incomplete } = whole;
  assert.equal(predicted(incomplete), null);
});
