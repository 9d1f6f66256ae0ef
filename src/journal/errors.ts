// Every failure the journal can report, in one place. Callers match on the code.

import { describeError, Failure } from '#base';

export function journalFull(bytes: number, bytesMax: number): Failure {
  return new Failure('JOURNAL_FULL', `the journal holds ${bytes} of its ${bytesMax} bytes`, {
    next: 'ask_operator',
    hint: 'bring the destinations back so that segments can be freed, or raise the bound if the disk has room',
    details: { bytes, bytesMax },
  });
}

export function journalBusy(pendingBytes: number, pendingBytesMax: number): Failure {
  return new Failure('JOURNAL_BUSY', `${pendingBytes} bytes already wait for the disk`, {
    next: 'retry',
    hint: 'the disk is slower than the traffic; try again in a moment',
    details: { pendingBytes, pendingBytesMax },
  });
}

export function journalFailed(reason: string, cause?: unknown): Failure {
  return new Failure('JOURNAL_FAILED', `the journal takes nothing more: ${reason}`, {
    next: 'ask_operator',
    hint: 'look after the disk, then start the process again; everything acknowledged before is kept',
    ...(cause === undefined ? {} : { cause }),
  });
}

export function journalClosed(): Failure {
  return new Failure('JOURNAL_CLOSED', 'the journal is closed', { hint: 'the process is shutting down' });
}

export function journalRecordTooLarge(bytes: number, bytesMax: number): Failure {
  return new Failure('JOURNAL_RECORD_TOO_LARGE', `a record of ${bytes} bytes is over the bound of ${bytesMax}`, {
    hint: 'bodies over `capture.bytesMax` are kept as length and digest',
    details: { bytes, bytesMax },
  });
}

export function journalCorrupt(file: string, offset: number, problem: string): Failure {
  return new Failure('JOURNAL_CORRUPT', `${file} is damaged at byte ${offset}: ${problem}`, {
    next: 'ask_operator',
    hint: 'do not delete it; copy the folder away, see what the peer copy holds, and start with an empty folder',
    details: { file, offset },
  });
}

export function journalNewerFormat(file: string, what: string): Failure {
  return new Failure('JOURNAL_NEWER_FORMAT', `${file} was written by a newer program: ${what}`, {
    next: 'ask_operator',
    hint: 'start the program that wrote it; an older one cannot read it',
    details: { file },
  });
}

export function journalInUse(directory: string, holder: string): Failure {
  return new Failure('JOURNAL_IN_USE', `the journal ${directory} is held by ${holder}`, {
    next: 'ask_operator',
    hint: 'one process writes a journal at a time; stop the other one, or give each its own folder',
    details: { directory },
  });
}

export function journalUnusable(directory: string, cause: unknown): Failure {
  return new Failure('JOURNAL_UNUSABLE', `the journal ${directory} cannot be used: ${describeError(cause)}`, {
    next: 'ask_operator',
    hint: 'the process needs a folder that it may write to, on a disk with room',
    details: { directory },
  });
}
