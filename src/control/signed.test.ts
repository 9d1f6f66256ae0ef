import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldRun, type ApprovalStatement, type RunState, type Signed } from '#run';
import { compilePlan, planHash } from '#runbook';
import { checkApproval, signStatement } from './signed.ts';
import { exampleStamp, keysOf } from './testing/people.ts';

const stamp = exampleStamp();
const keys = keysOf(stamp);
const nowMs = 1_000_000;
const plan = compilePlan({ stamp, stampDigest: 'd', kind: 'failover', from: 'home', to: 'partner' });
const opened: RunState = foldRun([
  {
    type: 'run-opened',
    sequence: 1,
    atMs: nowMs,
    body: {
      run: 'run_1',
      plan,
      planHash: planHash(plan),
      initiator: 'jonas',
      reason: 'home is gone',
      incidentAtMs: nowMs,
      epoch: { generation: 1, number: 1 },
    },
  },
]);
const statement: ApprovalStatement = {
  run: 'run_1',
  planHash: planHash(plan),
  epoch: '1.1',
  decision: 'approve',
  expiresAtMs: nowMs + 1,
  comment: 'agreed',
};

function by(person: string, more: Partial<ApprovalStatement> = {}, key = person): Signed<ApprovalStatement> {
  return signStatement({ ...statement, ...more }, { person, privateKeyPem: keys.personKey(key) });
}

function check(signed: Signed<ApprovalStatement>, state: RunState = opened): Promise<void> {
  return checkApproval(signed, { stamp, secrets: keys.secrets, state, nowMs, epoch: '1.1' });
}

test('an approval by somebody who may, of this very run and plan, counts', async () => {
  await check(by('mei'));
  await check(by('mei', { decision: 'reject' }));
});

const refusals: readonly (readonly [code: string, signed: () => Signed<ApprovalStatement>])[] = [
  ['APPROVER_UNKNOWN', () => ({ ...by('mei'), person: 'mallory' })],
  ['APPROVER_NOT_ALLOWED', () => by('amara')],
  ['APPROVAL_SIGNATURE_WRONG', () => by('rafael', {}, 'mei')],
  ['APPROVAL_OF_OTHER_RUN', () => by('mei', { run: 'run_2' })],
  ['APPROVAL_OF_OTHER_PLAN', () => by('mei', { planHash: 'other' })],
  ['APPROVAL_OF_OTHER_EPOCH', () => by('mei', { epoch: '1.2' })],
  ['APPROVAL_EXPIRED', () => by('mei', { expiresAtMs: nowMs })],
  ['APPROVER_IS_INITIATOR', () => by('jonas')],
];
for (const [code, signed] of refusals) {
  test(`refused: ${code}`, () => assert.rejects(check(signed()), { code, next: 'ask_operator' }));
}

test('every member of the statement is under the signature', async () => {
  const signed = by('mei');
  const changes: Partial<ApprovalStatement>[] = [
    { run: 'x' },
    { planHash: 'x' },
    { epoch: 'x' },
    { decision: 'reject' },
    { expiresAtMs: nowMs + 2 },
    { comment: 'x' },
    { override: 'gate-secrets' },
  ];
  for (const change of changes) {
    const changed = { ...signed, statement: { ...signed.statement, ...change } };
    await assert.rejects(check(changed), { code: 'APPROVAL_SIGNATURE_WRONG' }, JSON.stringify(change));
  }
  for (const signature of ['', 'not hex', signed.signature.slice(2)]) {
    await assert.rejects(check({ ...signed, signature }), { code: 'APPROVAL_SIGNATURE_WRONG' });
  }
});

test('refused: the run has ended', () =>
  assert.rejects(check(by('mei'), { ...opened, phase: 'finished' }), { code: 'RUN_FINISHED' }));

test('nobody decides twice while the first decision stands, but may sign again when it has expired', async () => {
  const standing = { ...opened, approvals: [{ atMs: nowMs, signed: by('mei') }] };
  await assert.rejects(check(by('mei', { comment: 'again' }), standing), { code: 'ALREADY_APPROVED' });
  await check(by('rafael'), standing);
  await check(by('mei', { override: 'gate-secrets' }), standing);
  const expired = { ...opened, approvals: [{ atMs: nowMs - 9, signed: by('mei', { expiresAtMs: nowMs - 1 }) }] };
  await check(by('mei'), expired);
});

test('the initiator may be one of the two who pass over a gate', () =>
  check(by('jonas', { override: 'gate-secrets' })));
