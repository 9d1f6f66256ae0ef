// Cluster policies API 2.0: a unique name, a definition that must be a JSON object in a string, and an edit that replaces.

import { isRecord, tryParseJson } from '#base';
import { requiredQuery, requiredText, type ApiCall, type Operations } from './api.ts';
import { invalid, missing } from './errors.ts';
import type { Policy, Settings } from './store.ts';

const writable = [
  'definition',
  'description',
  'libraries',
  'max_clusters_per_user',
  'policy_family_id',
  'policy_family_definition_overrides',
];

export const policyOperations: Operations = {
  'GET /api/2.0/policies/clusters/list': list,
  'GET /api/2.0/policies/clusters/get': (call) => shown(existing(call, requiredQuery(call.query, 'policy_id'))),
  'POST /api/2.0/policies/clusters/create': create,
  'POST /api/2.0/policies/clusters/edit': edit,
  'POST /api/2.0/policies/clusters/delete': remove,
};

function list(call: ApiCall): unknown {
  const policies = call.store.policies();
  return policies.length === 0 ? {} : { policies: policies.map(shown), total_count: policies.length };
}

function create(call: ApiCall): unknown {
  const name = requiredText(call.body, 'name');
  const body = checkedBody(call.body);
  refuseTaken(call, name);
  const ordinal = call.store.nextOrdinal();
  const policyId = BigInt(call.store.idOf('policy', ordinal)).toString(16).toUpperCase();
  call.store.putPolicy({ policyId, name, creator: call.principal, createdAt: call.clock.wallMs(), body });
  call.effect('policy-created', name, { policyId });
  return { policy_id: policyId };
}

function edit(call: ApiCall): unknown {
  const policy = existing(call, requiredText(call.body, 'policy_id'));
  const name = requiredText(call.body, 'name');
  const body = checkedBody(call.body);
  if (name !== policy.name) refuseTaken(call, name);
  call.store.putPolicy({ ...policy, name, body });
  call.effect('policy-edited', name, { policyId: policy.policyId });
  return {};
}

function remove(call: ApiCall): unknown {
  const policy = existing(call, requiredText(call.body, 'policy_id'));
  call.store.deletePolicy(policy.policyId);
  call.effect('policy-deleted', policy.name, { policyId: policy.policyId });
  return {};
}

function checkedBody(given: Settings): Settings {
  const body = Object.fromEntries(Object.entries(given).filter(([member]) => writable.includes(member)));
  const { definition, policy_family_id: family } = body;
  if (definition !== undefined && family !== undefined) {
    throw invalid('policy_family_id and definition cannot be used together');
  }
  if (family !== undefined) return body;
  if (typeof definition !== 'string') throw invalid('Missing required field: definition');
  const parsed = tryParseJson(definition);
  if (!parsed.ok || !isRecord(parsed.value) || !Object.values(parsed.value).every(isRecord)) {
    throw invalid('Policy definition is not a valid JSON object');
  }
  return body;
}

/** The sentence is the service's own (terraform-provider-databricks #2884, #2935). */
function refuseTaken(call: ApiCall, name: string): void {
  if (call.store.policies().some((policy) => policy.name === name)) {
    throw invalid(`Cluster Policy with name \`${name}\` already exists`);
  }
}

function existing(call: ApiCall, policyId: string): Policy {
  const policy = call.store.policy(policyId);
  if (!policy) throw missing(`Can't find a cluster policy with id: ${policyId}.`);
  return policy;
}

function shown(policy: Policy): unknown {
  return {
    policy_id: policy.policyId,
    name: policy.name,
    ...policy.body,
    created_at_timestamp: policy.createdAt,
    creator_user_name: policy.creator,
    is_default: false,
  };
}
