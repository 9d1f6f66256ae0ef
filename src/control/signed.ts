// Statements of people: signed with their own key where they sit, checked here against the stamp.

import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { canonicalJson, Failure } from '#base';
import { mayBeOverridden, type ApprovalStatement, type RunState, type Signed } from '#run';
import { personOf, type SecretReader, type Stamp } from '#stamp';

/** Signs as a person; runs on that person's own machine. */
export function signStatement<T>(statement: T, signer: { person: string; privateKeyPem: string }): Signed<T> {
  const signature = sign(null, Buffer.from(canonicalJson(statement)), createPrivateKey(signer.privateKeyPem));
  return { person: signer.person, statement, signature: signature.toString('hex') };
}

/** Throws with the reason when an approval (or override) of this run must not count. */
export async function checkApproval(
  signed: Signed<ApprovalStatement>,
  context: { stamp: Stamp; secrets: SecretReader; state: RunState; nowMs: number; epoch: string },
): Promise<void> {
  const { state } = context;
  const { person: id, statement } = signed;
  const person = personOf(context.stamp, id);
  if (!person) throw refused('APPROVER_UNKNOWN', `${id} is not a person of this stamp`);
  if (!person.may.includes('approve')) throw refused('APPROVER_NOT_ALLOWED', `${id} may not approve`);
  const key = createPublicKey(await context.secrets.read(person.publicKey));
  if (!verify(null, Buffer.from(canonicalJson(statement)), key, Buffer.from(signed.signature, 'hex'))) {
    throw refused('APPROVAL_SIGNATURE_WRONG', `the approval is not signed by ${id}`);
  }
  if (statement.run !== state.run) throw refused('APPROVAL_OF_OTHER_RUN', `the approval is for ${statement.run}`);
  if (statement.planHash !== state.planHash)
    throw refused('APPROVAL_OF_OTHER_PLAN', 'the approval is for another plan');
  if (statement.epoch !== context.epoch) throw refused('APPROVAL_OF_OTHER_EPOCH', 'the approval is for another epoch');
  if (statement.expiresAtMs <= context.nowMs) throw refused('APPROVAL_EXPIRED', 'the approval has expired');
  if (state.phase === 'finished') throw refused('RUN_FINISHED', `${state.run} has ended: ${state.outcome}`);
  if (id === state.initiator && statement.override === undefined) {
    throw refused('APPROVER_IS_INITIATOR', `${id} started this run; somebody else must approve it`);
  }
  if (statement.override !== undefined && !mayBeOverridden(state, statement.override)) {
    throw refused('NOT_A_GATE', `${statement.override} is not a gate of this run; only a gate can be passed over`);
  }
  const before = statement.override === undefined ? state.approvals : state.overrides;
  const same = before.filter(
    ({ signed: earlier }) => earlier.person === id && earlier.statement.override === statement.override,
  );
  // What has expired no longer counts, so the same person may sign again.
  if (same.some((entry) => entry.signed.statement.expiresAtMs > context.nowMs)) {
    throw refused('ALREADY_APPROVED', `${id} has decided already; another person is needed`);
  }
}

function refused(code: string, message: string): Failure {
  return new Failure(code, message, { next: 'ask_operator', hint: 'ask another person of the stamp' });
}
