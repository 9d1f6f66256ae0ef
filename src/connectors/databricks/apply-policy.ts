// Brings one cluster policy to the following site, and removes one that is no longer wanted there.

import { actIfPresent, createdOnce, createsMax, notCarried, sourceGone, stillWanted, type Move } from './move.ts';
import { listPolicies, neutralPolicy, policiesPath, policyBody } from './policies.ts';
import { policyArtifact } from './read.ts';

export async function bringPolicy(move: Move, name: string): Promise<void> {
  const { from, to, context } = move;
  const source = (await listPolicies(from.client, context)).find((policy) => policy.name === name);
  if (!source) throw sourceGone(move, `cluster policy ${name}`);
  const wanted = policyArtifact(from, source);
  if (wanted.class === 'listed') throw notCarried(`cluster policy ${name}`, wanted.reason);
  const body = policyBody(name, neutralPolicy(source, from), to);
  for (let created = 0; ; created++) {
    const present = (await listPolicies(to.client, context)).find((policy) => policy.name === name);
    if (present) {
      if (policyArtifact(to, present).digest === wanted.digest) return;
      const edit = { ...body, policy_id: present.policyId };
      await to.client.act(`${policiesPath}/edit`, edit, context, { idempotent: true });
      return;
    }
    if (await createdOnce(move, `${policiesPath}/create`, { body, last: created + 1 >= createsMax })) return;
  }
}

export async function deletePolicy(move: Move, name: string): Promise<void> {
  const { from, to, context } = move;
  if ((await listPolicies(from.client, context)).some((policy) => policy.name === name)) {
    throw stillWanted(move, `cluster policy ${name}`);
  }
  const present = (await listPolicies(to.client, context)).find((policy) => policy.name === name);
  if (present) await actIfPresent(move, `${policiesPath}/delete`, { policy_id: present.policyId });
}
