// Every failure the ledger can report, in one place. Callers match on the code.

import { describeError, Failure, formatEpoch, type Epoch } from '#base';

/** Another writer was first; nothing was written. Read again, decide again. */
export function ledgerConflict(message: string, details: Readonly<Record<string, unknown>>): Failure {
  return new Failure('LEDGER_CONFLICT', message, {
    next: 'retry',
    hint: 'someone else wrote first; read the current state and decide again',
    details,
  });
}

export function ledgerInUse(file: string, cause: unknown): Failure {
  return new Failure('LEDGER_IN_USE', `the ledger ${file} is held by another process`, {
    next: 'ask_operator',
    hint: 'one controller at a time: stop the other controller, or ask it through its API',
    cause,
    details: { file },
  });
}

export function ledgerUnreadable(file: string, problem: string, cause?: unknown): Failure {
  return new Failure('LEDGER_UNREADABLE', `the ledger ${file} cannot be read: ${problem}`, {
    next: 'ask_operator',
    hint: 'do not delete it; keep the file and its -wal beside it, check the path, and restore the streamed copy',
    details: { file },
    ...(cause === undefined ? {} : { cause }),
  });
}

export function ledgerUnwritable(file: string, cause: unknown): Failure {
  return new Failure('LEDGER_UNWRITABLE', `the ledger ${file} cannot be written: ${describeError(cause)}`, {
    next: 'ask_operator',
    hint: 'the controller needs a folder that it may write to, on a disk with room',
    details: { file },
  });
}

export function ledgerNewerFormat(file: string, versions: { found: number; known: number }): Failure {
  return new Failure(
    'LEDGER_NEWER_FORMAT',
    `the ledger ${file} has format ${versions.found}, this program knows formats up to ${versions.known}`,
    {
      next: 'ask_operator',
      hint: 'start the newer program that wrote it; an older one would damage it',
      details: { file, ...versions },
    },
  );
}

export function ledgerTooLarge(bytes: number, bytesMax: number): Failure {
  return new Failure('LEDGER_TOO_LARGE', `an append of ${bytes} bytes is over the ledger's bound of ${bytesMax}`, {
    hint: 'keep the bulk elsewhere and write its digest',
    details: { bytes, bytesMax },
  });
}

export function ledgerBadName(name: string): Failure {
  return new Failure('LEDGER_BAD_NAME', `${JSON.stringify(name.slice(0, 80))} is not a name for a stream or a cell`, {
    hint: 'use 1 to 512 characters, none of them a control character',
  });
}

export function ledgerClosed(): Failure {
  return new Failure('LEDGER_CLOSED', 'the ledger is closed', { hint: 'the controller is shutting down' });
}

/** The act's right is gone: the active role has moved on. */
export function actFenced(held: Epoch, current: Epoch): Failure {
  return new Failure('ACT_FENCED', `epoch ${formatEpoch(held)} may not act, ${formatEpoch(current)} is in force`, {
    hint: 'drop what was planned under the old epoch; the run that moved the role decides what happens to it',
    details: { held: formatEpoch(held), current: formatEpoch(current) },
  });
}

/** A change of roles that the rules forbid. */
export function authorityInvalid(message: string): Failure {
  return new Failure('AUTHORITY_INVALID', message, {
    hint: 'roles go active → fenced → standby → active, one site active at most; only a new epoch takes the active role away',
  });
}
