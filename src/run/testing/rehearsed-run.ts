// Opens and drives runs in the fake world the way the controller does: take up what the log holds, add the approvals that
// are missing, drive on.

import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import type { Site } from '#base';
import type { Authority, Ledger } from '#ledger';
import { compilePlan, planHash, type Plan, type RunKind } from '#runbook';
import { parseStamp, type Stamp, type StepId } from '#stamp';
import { driveRun } from '../engine.ts';
import type { ApprovalStatement, RunEvent, Signed } from '../events.ts';
import type { RunState } from '../fold.ts';
import { RunLog } from '../log.ts';
import type { StepVerb } from '../step.ts';
import { defaultVerbs } from '../verbs.ts';
import type { World } from '../world.ts';
import { artifact, FakeTruth } from './fake-truth.ts';
import { fakeWorld } from './fake-world.ts';
import type { KillSwitch } from './kill-switch.ts';
import type { PromptClock } from './prompt-clock.ts';

const text = readFileSync(new URL('../../../examples/stamp.azure.yaml', import.meta.url), 'utf8');

let parsed: Stamp | undefined;

/** Parsed once: a sweep of crashes opens hundreds of worlds. */
export function exampleStamp(): Stamp {
  parsed ??= parse();
  return parsed;
}

function parse(): Stamp {
  const loaded = parseStamp(text, { file: 'stamp.yaml' });
  assert.ok(loaded.ok, 'the example is a right stamp');
  return loaded.stamp;
}

export const run = 'run_rehearsed';
export const never = new AbortController().signal;

export function examplePlan(kind: RunKind, stamp = exampleStamp()): Plan {
  const accepted = ['nightly', 'features'].map((job) => ({ job, reason: 'writes by merge', by: 'amara' }));
  return compilePlan({ stamp, stampDigest: 'd', kind, from: 'home', to: 'partner', accepted });
}

export function opening(plan: Plan, more: { incidentAtMs: number }): RunEvent & { type: 'run-opened' } {
  const epoch = { generation: 1, number: 1 };
  const body = { run, plan, planHash: planHash(plan), initiator: 'amara', reason: 'a rehearsal', epoch, ...more };
  return { type: 'run-opened', body };
}

/** A signed approval or override; nobody below the control plane looks at the signature. */
export function approvalBy(person: string, more: Partial<ApprovalStatement> = {}): Signed<ApprovalStatement> {
  const statement: ApprovalStatement = {
    run,
    planHash: 'p',
    epoch: '1.1',
    decision: 'approve',
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    comment: '',
    ...more,
  };
  return { person, statement, signature: '00' };
}

export interface Rehearsal {
  readonly kind: RunKind;
  readonly truth: FakeTruth;
  readonly clock: PromptClock;
  readonly ledger: Ledger;
  readonly stamp: Stamp;
  readonly onTold?: (site: Site, authority: Authority) => void;
  readonly replace?: Partial<World>;
  readonly verbs?: Partial<Record<StepId, StepVerb>>;
}

/** Brings the two sites in step, opens the run, and only then lets happen what the kind of run is for. */
export async function prepare(kind: RunKind, ledger: Ledger, clock: PromptClock): Promise<Rehearsal> {
  const truth = new FakeTruth();
  const stamp = exampleStamp();
  const { world } = await fakeWorld({ truth, ledger, clock, stamp });
  for (const site of ['home', 'partner'] as const) await world.agents[site].state({ signal: never });
  await world.replicator.drift('home', { signal: never });
  truth.sites.home.provenThroughMs = clock.wallMs();
  clock.advance(1_000);
  await RunLog.open(ledger, opening(examplePlan(kind, stamp), { incidentAtMs: clock.wallMs() - 500 }));
  if (kind === 'failover') truth.sites.home.gone = true;
  if (kind !== 'switchover') return { kind, truth, clock, ledger, stamp };
  // Something still arrives at home while the run waits: the final delta has to carry it.
  const onTold = (site: Site): void => {
    if (site === 'home') truth.sites.home.artifacts.set('job', artifact('job', 'v2'));
  };
  return { kind, truth, clock, ledger, stamp, onTold };
}

/** One life of the controller: everything it knows comes from the ledger. */
export async function live(rehearsal: Rehearsal, killSwitch?: KillSwitch): Promise<RunState> {
  const { world } = await fakeWorld({ ...rehearsal, ...(killSwitch ? { killSwitch } : {}) });
  const log = await RunLog.load(world.ledger, run);
  if (log.state.plan.approvals > 0) {
    for (const person of ['mei', 'rafael']) {
      if (log.state.approvals.some((entry) => entry.signed.person === person)) continue;
      await log.append([{ type: 'approval-given', body: { signed: approvalBy(person) } }]);
    }
  }
  return driveRun(log, { world, verbs: { ...defaultVerbs, ...rehearsal.verbs }, signal: never });
}
