// Rules of people: enough of them, different enough, for the approvals that the stamp itself demands.

import type { Mistake } from '../problem.ts';
import type { Rule } from '../rules.ts';
import type { Salvaged } from '../schema-tree.ts';
import type { Stamp } from '../schema.ts';
import { duplicates } from './references.ts';

export const peopleRules: readonly Rule[] = [duplicateIds, someoneInitiates, approvalsReachable];

function* duplicateIds(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const people = stamp.people ?? [];
  const pathOf = (index: number): (string | number)[] => ['people', index, 'id'];
  yield* duplicates(
    'the person id',
    people.map((person) => person?.id),
    { pathOf },
  );
  const keys = people.map((person) => person?.publicKey);
  const message = 'this public key belongs to another person too: two people never share a key';
  for (const { path } of duplicates('', keys, { pathOf: (index) => ['people', index, 'publicKey'] })) {
    yield { path, code: 'DUPLICATE', message };
  }
}

function* someoneInitiates(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  if (!readable(stamp) || rights(stamp, 'initiate').length > 0) return;
  yield { path: ['people'], code: 'APPROVALS_UNREACHABLE', message: 'no person may initiate a run' };
}

function* approvalsReachable(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const initiators = rights(stamp, 'initiate');
  if (!readable(stamp) || initiators.length === 0) return;
  const approvers = rights(stamp, 'approve');
  // The best case: the initiator who leaves most approvers over.
  const most = Math.max(...initiators.map((index) => approvers.filter((approver) => approver !== index).length));
  for (const kind of ['failover', 'failback', 'switchover'] as const) {
    const needed = stamp.approvals?.[kind];
    if (needed === undefined || needed <= most) continue;
    yield {
      path: ['approvals', kind],
      code: 'APPROVALS_UNREACHABLE',
      message: `a ${kind} needs ${needed} approvals, and at most ${most} people other than its initiator may approve`,
      hint: 'give more people the right to `approve`, or ask for fewer approvals',
    };
  }
}

/** A person whose rights cannot be read may be the one that seems to be missing. */
function readable(stamp: Salvaged<Stamp>): boolean {
  const { people } = stamp;
  return people !== undefined && people.every((person) => person?.may?.every((right) => right !== undefined) === true);
}

function rights(stamp: Salvaged<Stamp>, right: 'initiate' | 'approve'): number[] {
  return (stamp.people ?? []).flatMap((person, index) => (person?.may?.includes(right) === true ? [index] : []));
}
