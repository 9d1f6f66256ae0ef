// Makes one secret in the following vault equal to the leading one. It looks before every write, because each PUT is a
// new version, and after every write whose answer was lost.

import { Failure, unreachable, type Clock } from '#base';
import { azureFailure, outcomeUnknown, vendorCodeOf } from '../azure/mod.ts';
import type { ActContext, Change } from '../port.ts';
import type { NewSecret, StoredSecret, Vault } from './client.ts';
import { isDeclared, readComparisonKey, type InventoryParts } from './inventory.ts';
import { attributesCanBeSet, digestOfSecret, wantedOf, whyListed } from './neutral.ts';

/** Looks and writes for one change: enough for a recovery, a lost answer and a moment of waiting. */
const roundsMax = 20;
const transitionWaitMs = 500;

export async function applySecret(change: Change, context: ActContext, parts: InventoryParts): Promise<void> {
  if (change.kind !== 'secret' || !isDeclared(change.key, parts.dependency)) {
    throw new Failure('KEY_VAULT_NOT_CARRIED', `${change.kind} ${change.key} is not carried by ${parts.dependency.id}`);
  }
  const target = parts.vaults[change.to];
  switch (change.action) {
    case 'delete':
      return removeSecret(change.key, target, context);
    case 'create':
    case 'update': {
      const wanted = wantedOf(await readSource(change, context, parts));
      const comparisonKey = await readComparisonKey(change.to, context, parts);
      return carry(wanted, { target, context, clock: parts.clock, comparisonKey });
    }
    default:
      return unreachable(change.action);
  }
}

async function readSource(change: Change, context: ActContext, parts: InventoryParts): Promise<StoredSecret> {
  const source = await parts.vaults[change.from].get(change.key, context);
  if (!source) {
    throw new Failure('KEY_VAULT_SOURCE_MISSING', `secret ${change.key} is gone from the vault of ${change.from}`, {
      next: 'retry',
      hint: 'take the inventory again',
    });
  }
  const reason = whyListed(source, Math.floor(parts.clock.wallMs() / 1_000));
  if (reason === undefined) return source;
  throw new Failure('KEY_VAULT_NOT_CARRIED', `secret ${change.key} is not carried: ${reason}`);
}

interface CarryParts {
  readonly target: Vault;
  readonly context: ActContext;
  readonly clock: Clock;
  readonly comparisonKey: string;
}

async function carry(wanted: NewSecret, parts: CarryParts): Promise<void> {
  const { target, context } = parts;
  let lostAnswers = 0;
  for (let round = 0; round < roundsMax; round++) {
    const current = await readTarget(wanted.name, target, context);
    if (current !== 'disabled' && current && isSame(current, wanted, parts.comparisonKey)) return;
    if (lostAnswers === 2) break; // Looked up after the second loss, and it is not there.
    try {
      if (current !== 'disabled' && current && attributesCanBeSet(current, wanted)) {
        return await target.setAttributes(wanted, current.version, context);
      }
      return await target.set(wanted, context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (outcomeUnknown(error)) lostAnswers++;
      else await mendConflict(error, wanted.name, parts);
    }
  }
  throw new Failure('KEY_VAULT_OUTCOME_UNKNOWN', `writing secret ${wanted.name} gave no answer and is not to be seen`, {
    next: 'retry',
    hint: 'check that the vault is up and writable; the next sync looks before it writes',
  });
}

/** A disabled secret cannot be read, so it cannot be compared: a new, enabled version takes its place. */
async function readTarget(
  name: string,
  target: Vault,
  context: ActContext,
): Promise<StoredSecret | 'disabled' | undefined> {
  try {
    return await target.get(name, context);
  } catch (error) {
    if (error instanceof Failure && error.details['vendorCode'] === 'SecretDisabled') return 'disabled';
    throw error;
  }
}

function isSame(current: StoredSecret, wanted: NewSecret, comparisonKey: string): boolean {
  return digestOfSecret(current, comparisonKey) === digestOfSecret(wanted, comparisonKey);
}

/** The name belongs to a deleted secret: it is recovered, then looked at like any other. Else the failure goes up. */
async function mendConflict(thrown: unknown, name: string, { target, context, clock }: CarryParts): Promise<void> {
  const code = vendorCodeOf(thrown) ?? '';
  if (code === 'ObjectIsDeletedButRecoverable') {
    try {
      await target.recover(name, context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!outcomeUnknown(error)) throw azureFailure('KEY_VAULT', `recovering secret ${name}`, error);
    }
  } else if (!['ObjectIsBeingDeleted', 'ObjectIsBeingRecovered'].includes(code)) {
    throw azureFailure('KEY_VAULT', `writing secret ${name}`, thrown);
  }
  await clock.sleep(transitionWaitMs, context.signal);
}

async function removeSecret(name: string, target: Vault, context: ActContext): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    if ((await readTarget(name, target, context)) === undefined) return;
    try {
      return await target.remove(name, context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!outcomeUnknown(error)) throw azureFailure('KEY_VAULT', `deleting secret ${name}`, error);
    }
  }
  if ((await readTarget(name, target, context)) === undefined) return;
  throw new Failure('KEY_VAULT_OUTCOME_UNKNOWN', `deleting secret ${name} gave no answer and it is still there`, {
    next: 'retry',
    hint: 'check that the vault is up and writable',
  });
}
