// Cluster policies of one workspace. Their names are unique, so the name is key and marker at once.

import { isRecord, type Site } from '#base';
import type { ReadContext } from '../port.ts';
import type { DatabricksClient } from './client.ts';
import { listOf, parseExact, textOf, type Members } from './json.ts';
import { mapTexts, type RegionMap } from './region-map.ts';

export const policiesPath = '/api/2.0/policies/clusters';

export interface Policy {
  readonly policyId: string;
  readonly name: string;
  readonly body: Members;
}

export async function listPolicies(client: DatabricksClient, context: ReadContext): Promise<Policy[]> {
  const answer = await client.get(`${policiesPath}/list`, {}, context);
  return listOf(answer['policies'], 'policies').map((policy) => ({
    policyId: textOf(policy['policy_id'], 'policy_id'),
    name: textOf(policy['name'], 'name of a policy'),
    body: policy,
  }));
}

/** Policies that every workspace has from the start cannot be created; they are compared by nobody and written by nobody. */
export function isBuiltIn(policy: Policy): boolean {
  return policy.body['is_default'] === true;
}

const plainMembers = ['description', 'max_clusters_per_user', 'libraries', 'policy_family_id'];

/** Definitions are JSON in a text; they are compared as JSON, so that white space is no difference. */
export function neutralPolicy(policy: Policy, around: { site: Site; map: RegionMap }): Members {
  const neutral: Record<string, unknown> = {};
  for (const member of plainMembers) if (policy.body[member] !== undefined) neutral[member] = policy.body[member];
  const family = policy.body['policy_family_id'] !== undefined;
  const source = family ? 'policy_family_definition_overrides' : 'definition';
  const text = policy.body[source];
  if (typeof text === 'string') neutral[source] = parsedOr(text);
  return mapTexts(
    neutral,
    (value) => around.map.toNeutral(around.site, value),
    () => false,
  ) as Members;
}

/** The body of `create` and `edit` at a site. */
export function policyBody(name: string, neutral: Members, around: { site: Site; map: RegionMap }): Members {
  const local = mapTexts(
    neutral,
    (value) => around.map.toSite(around.site, value),
    () => false,
  ) as Members;
  const body: Record<string, unknown> = { ...local, name };
  for (const member of ['definition', 'policy_family_definition_overrides']) {
    if (isRecord(body[member])) body[member] = JSON.stringify(body[member]);
  }
  return body;
}

function parsedOr(text: string): unknown {
  try {
    const value = parseExact(text);
    return isRecord(value) ? value : text;
  } catch {
    return text;
  }
}
