// Is the vault of a site usable: can it be listed, are the declared secrets there and readable, and do both vaults hold
// the same comparison key?

import {
  equalInConstantTime,
  hmacSha256,
  type Failure,
  type Finding,
  type Randomness,
  type Site,
  otherSite,
} from '#base';
import { azureFailure, findingOf } from '../azure/mod.ts';
import type { ReadContext } from '../port.ts';
import type { SecretAttributes } from './client.ts';
import { readComparisonKey, type InventoryParts } from './inventory.ts';
import { whyListed } from './neutral.ts';

export interface ProbeParts extends InventoryParts {
  readonly randomness: Randomness;
}

/** Shorter keys could be guessed, and with them short secrets. */
const comparisonKeyLengthMin = 16;

export async function probeVault(site: Site, context: ReadContext, parts: ProbeParts): Promise<Finding[]> {
  const subject = `key vault ${parts.dependency.id} at ${site}`;
  let secrets: SecretAttributes[];
  try {
    secrets = await parts.vaults[site].list(context);
  } catch (error) {
    return [findingOf(subject, failureOf(error, context, subject))];
  }
  const nowSeconds = Math.floor(parts.clock.wallMs() / 1_000);
  const findings: Finding[] = [{ verdict: 'pass', subject, detail: `${secrets.length} secrets can be listed` }];
  for (const name of parts.dependency.secrets) {
    if (name !== '*') findings.push(secretFinding(name, secrets, nowSeconds));
  }
  return [...findings, ...(await probeComparisonKey(site, context, parts))];
}

function secretFinding(name: string, secrets: readonly SecretAttributes[], nowSeconds: number): Finding {
  const subject = `secret ${name}`;
  const secret = secrets.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
  if (!secret) {
    return {
      verdict: 'fail',
      subject,
      detail: 'not in the vault',
      mend: 'run `understudy sync`, or set it in the vault',
    };
  }
  const reason = whyListed(secret, nowSeconds);
  if (reason === undefined) return { verdict: 'pass', subject, detail: 'present and enabled' };
  return { verdict: 'fail', subject, detail: reason, mend: 'renew or enable it in the leading vault, then sync' };
}

async function probeComparisonKey(site: Site, context: ReadContext, parts: ProbeParts): Promise<Finding[]> {
  const subject = `comparison key ${parts.dependency.comparisonKey} at ${site}`;
  let key: string;
  try {
    key = await readComparisonKey(site, context, parts);
  } catch (error) {
    const failure = failureOf(error, context, subject);
    if (failure.code !== 'COMPARISON_KEY_MISSING') return [findingOf(subject, failure)];
    return [{ verdict: 'fail', subject, detail: failure.message, mend: failure.hint ?? '' }];
  }
  if (key.length < comparisonKeyLengthMin) {
    const detail = `shorter than ${comparisonKeyLengthMin} characters`;
    return [{ verdict: 'fail', subject, detail, mend: 'put one random value of 32 characters into both vaults' }];
  }
  const compared = await compareKeys(key, site, context, parts);
  return [{ verdict: 'pass', subject, detail: 'present and readable' }, ...(compared ? [compared] : [])];
}

/**
 * Both keys must turn the same text into the same code. The text is new each time, so that what is compared says nothing
 * later. When the other vault cannot be read nothing is claimed: a lost region must not stop its own failover.
 */
async function compareKeys(
  key: string,
  site: Site,
  context: ReadContext,
  parts: ProbeParts,
): Promise<Finding | undefined> {
  let other: string;
  try {
    other = await readComparisonKey(otherSite(site), context, parts);
  } catch {
    context.signal.throwIfAborted();
    return undefined;
  }
  const text = parts.randomness.bytes(32);
  const code = (held: string): string => hmacSha256(Buffer.from(held), text);
  const subject = 'comparison keys of both vaults';
  if (equalInConstantTime(code(key), code(other))) return { verdict: 'pass', subject, detail: 'the same' };
  const mend = `put the same value under ${parts.dependency.comparisonKey} into both vaults, then sync`;
  return { verdict: 'fail', subject, detail: 'they differ, so no comparison of secrets means anything', mend };
}

function failureOf(error: unknown, context: ReadContext, what: string): Failure {
  context.signal.throwIfAborted();
  return azureFailure('KEY_VAULT', what, error);
}
