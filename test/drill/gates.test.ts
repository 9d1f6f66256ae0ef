// A drill changes nothing in production; a failed gate stops a run before anything is fenced; and nothing moves on the word
// of one person. Compared with what the vendors themselves say before and after.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '#base';
import { signStatement } from '#control';
import type { ApprovalStatement } from '#run';
import type { StepId } from '#stamp';
import { approveBy, runOf, untilSealed, until, type RunView } from '../../lab/demo/stage.ts';
import type { Fault } from '../../lab/kit/mod.ts';
import { understudy } from './testing/command-line.ts';
import {
  askModel,
  callVault,
  epochOf,
  importNotebook,
  openDrillStage,
  productionOf,
  refusalOf,
  siteThatAnswers,
  startRun,
  untilNoDrift,
  untilSettled,
  type DrillStage,
  type Production,
} from './testing/stage.ts';

let stage: DrillStage;
before(async () => {
  stage = await openDrillStage({ reader: 'mallory' });
});
after(() => stage?.close());

describe('a drill', () => {
  let view: RunView;
  let file: string;

  void test('completes and leaves production as it was', async () => {
    const untouched = await productionOf(stage);
    view = await startRun(stage, 'drill', 'the monthly rehearsal');
    assert.equal(view.outcome, 'completed', JSON.stringify(view.stoppedAt));
    assert.deepEqual(await productionOf(stage), untouched);
    assert.equal(await siteThatAnswers(stage), 'home');
    assert.deepEqual(view.approvals, [], 'a drill needs nobody');
  });

  void test('lists what it leaves behind by id', async () => {
    const residue = view.summary['residue'] as string[];
    const started = await stage.lab.effects('databricks-partner', { type: 'job-run-started' });
    const smoke = started.filter((effect) => effect.key === 'smoke').map((effect) => String(effect.detail['runId']));
    assert.equal(smoke.length, 1, 'one smoke job was started');
    assert.ok(residue.includes(`smoke job run ${smoke[0]} at partner`), residue.join(', '));
    const traces = residue.filter((item) => /\b[0-9a-f]{32}\b/.test(item));
    assert.ok(
      traces.length >= 1 + stage.stamp.canary.prompts.length,
      `marker and canary traces: ${residue.join(', ')}`,
    );
  });

  void test('leaves evidence that verifies', async () => {
    file = view.sealed?.file ?? '';
    const found = await understudy([
      'evidence',
      'verify',
      file,
      '--trusted',
      join(stage.directory, 'keys/seal.pub.pem'),
    ]);
    assert.equal(found.code, 0, found.stdout);
    assert.match(found.stdout, /lab evidence/);
    const register = await understudy(['evidence', 'register', '--stamp', stage.lab.layout.stampFile]);
    assert.equal(register.code, 0, register.stdout);
  });

  void test('leaves evidence in which one changed byte is found, by its line', async () => {
    const bytes = await readFile(file);
    const lines = bytes.toString('utf8').split('\n');
    for (const line of [1, Math.ceil(lines.length / 2), lines.length - 1]) {
      // The last digit of the line becomes another one: it stays JSON and only says something else.
      const text = lines[line - 1] ?? '';
      const before = [...lines.slice(0, line - 1), text.slice(0, text.search(/\d\D*$/))].join('\n');
      const at = Buffer.byteLength(before);
      const changed = Buffer.from(bytes);
      changed[at] = changed[at] === 0x35 ? 0x36 : 0x35;
      const copy = join(stage.directory, `changed-${line}.jsonl`);
      await writeFile(copy, changed);
      const found = await understudy(['evidence', 'verify', copy]);
      assert.equal(found.code, 1, `line ${line} at byte ${at}`);
      assert.match(found.stdout, /NOT valid/);
      // A chained line is found by the line after it, which names it; the seal by itself.
      assert.match(found.stdout, new RegExp(`\\bline ${line}\\b`), found.stdout);
    }
  });
});

describe('a failed gate stops the run and leaves the active region alone', () => {
  void test('a standby that differs', async () => {
    const fault = importsForbidden;
    await assertGateStops(
      'gate-artifacts',
      { vendor: 'databricks-partner', fault, says: /notebook .*features.*different/ },
      () => importNotebook(stage, 'home', '/Stamp/jobs/features', 'print("a new release")'),
    );
    await untilNoDrift(stage);
  });

  void test('a secret that is missing in the standby', async () => {
    const fault = forbidden('^(PUT /secrets/|POST /deletedsecrets/)');
    await assertGateStops(
      'gate-secrets',
      { vendor: 'key-vault-partner', fault, says: /crm-token-07.*missing/ },
      async () => {
        assert.equal(await callVault(stage, { site: 'partner', method: 'DELETE', secret: 'crm-token-07' }), 200);
      },
    );
    await untilNoDrift(stage);
    assert.equal(await callVault(stage, { site: 'partner', method: 'GET', secret: 'crm-token-07' }), 200);
  });

  void test('a Langfuse that answers 200 and stores nothing', async () => {
    const fault: Fault = { kind: 'special', name: 'accept-and-drop' };
    await assertGateStops('gate-telemetry', { vendor: 'langfuse-partner', fault, says: /cannot be read back/ });
  });
});

describe('approval', () => {
  let run: RunView;
  let untouched: Production;
  const post = (as: string, change: Partial<ApprovalStatement> = {}, signer = as): Promise<unknown> => {
    const statement: ApprovalStatement = {
      run: run.run,
      planHash: run.planHash,
      epoch: epochOf(run),
      decision: 'approve',
      expiresAtMs: systemClock.wallMs() + 600_000,
      comment: 'a drill',
      ...change,
    };
    const signed = signStatement(statement, { person: as, privateKeyPem: stage.privateKey(signer) });
    return stage.as(as).post(`/api/runs/${run.run}/approvals`, signed);
  };
  before(async () => {
    untouched = await productionOf(stage);
    run = await startRun(stage, 'switchover', 'approvals are tried');
    assert.equal(run.phase, 'running', JSON.stringify(run.stoppedAt));
  });

  void test('of the initiator is refused', async () => {
    assert.equal(await refusalOf(post('ada')), 'APPROVER_IS_INITIATOR');
  });
  void test('of somebody without the right is refused', async () => {
    assert.equal(await refusalOf(post('mallory')), 'FORBIDDEN');
  });
  void test('signed by somebody else is refused', async () => {
    assert.equal(await refusalOf(post('grace', {}, 'edsger')), 'APPROVAL_SIGNATURE_WRONG');
  });
  void test('of another plan, another run or another epoch is refused', async () => {
    assert.equal(await refusalOf(post('grace', { planHash: '0'.repeat(64) })), 'APPROVAL_OF_OTHER_PLAN');
    assert.equal(await refusalOf(post('grace', { run: `${run.run}x` })), 'APPROVAL_OF_OTHER_RUN');
    assert.equal(await refusalOf(post('grace', { epoch: '9.9' })), 'APPROVAL_OF_OTHER_EPOCH');
  });
  void test('that has expired is refused', async () => {
    assert.equal(await refusalOf(post('grace', { expiresAtMs: systemClock.wallMs() - 1 })), 'APPROVAL_EXPIRED');
  });
  void test('counts once per person, and one person is not enough', async () => {
    await post('grace');
    assert.equal(await refusalOf(post('grace')), 'ALREADY_APPROVED');
    assert.equal(await refusalOf(post('grace', { comment: 'again' })), 'ALREADY_APPROVED');
    const now = await runOf(stage, run.run);
    assert.deepEqual(
      now.approvals.map((entry) => entry.signed.person),
      ['grace'],
    );
    assert.equal(now.steps.approval?.status, 'running');
    assert.equal(now.steps.fence?.status, 'pending');
  });
  void test('that never came leaves production alone', async () => {
    assert.equal(
      await refusalOf(stage.as('mallory').post(`/api/runs/${run.run}/abort`, { reason: 'not mine' })),
      'FORBIDDEN',
    );
    await abort(run);
    assert.deepEqual(await productionOf(stage), untouched);
  });
});

describe('a gateway', () => {
  const own = (): string => `${stage.lab.url('gateway-home')}/v1`;
  const key = (): string => stage.lab.layout.secret('application-key');
  const refused = async (asking: ReturnType<typeof askModel>, status: number): Promise<void> => {
    const { status: found, text } = await asking;
    assert.equal(found, status, text);
    const { error } = JSON.parse(text) as { error: { message: string; type: string } };
    assert.ok(error.message.length > 0 && error.type.length > 0, text);
    assert.ok(!text.includes(key()), 'the key is not repeated');
    assert.doesNotMatch(text, /\n +at |node:internal/);
  };

  void test('refuses a key it does not know', () => refused(askModel(own(), 'sk-not-ours'), 401));
  void test('refuses a body that is no JSON', () => refused(askModel(own(), key(), '{"model": "support-chat", '), 400));
  void test('refuses a body over the limit', () =>
    refused(askModel(own(), key(), JSON.stringify({ model: 'support-chat', padding: 'x'.repeat(33_554_432) })), 413));
});

describe('an override', () => {
  void test('needs two people, and the evidence says so for good', async () => {
    const gate = 'gate-artifacts';
    await stage.lab.setFaults('databricks-partner', [importsForbidden]);
    await importNotebook(stage, 'home', '/Stamp/jobs/index', 'print("a release that is not carried")');
    const stopped = await startRun(stage, 'switchover', 'the standby takes no notebooks');
    assert.equal(stopped.stoppedAt?.step, gate);
    await override(stopped, gate, 'grace');
    assert.equal(await refusalOf(override(stopped, gate, 'grace')), 'ALREADY_APPROVED');
    await stage.as('ada').post(`/api/runs/${stopped.run}/resume`, {});
    const still = await untilSettled(stage, stopped.run);
    assert.deepEqual([still.phase, still.stoppedAt?.step], ['stopped', gate], 'one person passes over nothing');
    await override(stopped, gate, 'edsger');
    await stage.lab.setFaults('databricks-partner', []);
    await stage.as('ada').post(`/api/runs/${stopped.run}/resume`, {});
    await until('the approval', async () => (await runOf(stage, stopped.run)).steps.approval?.status === 'running');
    await approveBy(stage, stopped, ['grace', 'edsger']);
    const done = await untilSealed(stage, stopped.run);
    assert.equal(done.outcome, 'completed with override');
    const evidence = await readFile(done.sealed?.file ?? '', 'utf8');
    const overriders = [...evidence.matchAll(/"type":"override-given"/g)];
    assert.equal(overriders.length, 2);
  });
});

async function override(run: RunView, step: StepId, person: string): Promise<unknown> {
  const statement: ApprovalStatement = {
    run: run.run,
    planHash: run.planHash,
    epoch: epochOf(run),
    decision: 'approve',
    expiresAtMs: systemClock.wallMs() + 600_000,
    comment: 'this notebook may come later',
    override: step,
  };
  const signed = signStatement(statement, { person, privateKeyPem: stage.privateKey(person) });
  return stage.as(person).post(`/api/runs/${run.run}/approvals`, signed);
}

/** Breaks the standby, starts a move, and shows that the gate stopped it with everything as it was. */
async function assertGateStops(
  gate: StepId,
  breaking: { vendor: string; fault: Fault; says: RegExp },
  breakIt: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await stage.lab.setFaults(breaking.vendor, [breaking.fault]);
  try {
    await breakIt();
    const untouched = await productionOf(stage);
    const view = await startRun(stage, 'switchover', `${breaking.vendor} is broken`);
    assert.equal(view.phase, 'stopped');
    assert.equal(view.stoppedAt?.step, gate);
    assert.match(view.stoppedAt?.reason ?? '', breaking.says);
    assert.equal(view.steps.fence?.status, 'pending', 'nothing was fenced');
    assert.deepEqual(await productionOf(stage), untouched);
    assert.equal(await siteThatAnswers(stage), 'home');
    // Approvals do not help: a gate that failed is passed over by name only.
    await approveBy(stage, view, ['grace', 'edsger']);
    assert.equal((await runOf(stage, view.run)).phase, 'stopped');
    await abort(view);
    assert.deepEqual(await productionOf(stage), untouched);
  } finally {
    await stage.lab.setFaults(breaking.vendor, []);
  }
}

async function abort(run: RunView): Promise<void> {
  const ended = (await stage.as('ada').post(`/api/runs/${run.run}/abort`, { reason: 'the drill is over' })) as RunView;
  assert.equal(ended.outcome, 'aborted');
}

/** A workspace or vault that reads and does not write. */
function forbidden(match: string): Fault {
  const body = JSON.stringify({
    error_code: 'PERMISSION_DENIED',
    message: 'no',
    error: { code: 'Forbidden', message: 'no' },
  });
  return { kind: 'status', status: 403, headers: {}, body, match };
}

const importsForbidden = forbidden('POST /api/2.0/workspace/import');
