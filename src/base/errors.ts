// Every failure a user can meet has a stable code and says what to do next.
// Callers match on the code, never on the class or on the message text.

/** What the caller should do: try the same again, give up, or ask a person. */
export type Next = 'retry' | 'stop' | 'ask_operator';

export interface FailureOptions {
  /** Default `stop`. */
  readonly next?: Next;
  /** One sentence: how to mend it. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Facts for machines; never a secret value. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export class Failure extends Error {
  readonly code: string;
  readonly next: Next;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.next = options.next ?? 'stop';
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** The code of any thrown value: a Failure's code, a Node system error's code, else `UNEXPECTED`. */
export function codeOf(thrown: unknown): string {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') return thrown.code;
  if (thrown instanceof Error && thrown.name === 'AbortError') return 'ABORTED';
  if (thrown instanceof Error && thrown.name === 'TimeoutError') return 'TIMEOUT';
  return 'UNEXPECTED';
}

/** One line for people: the message of a thrown value with its causes, without a stack. */
export function describeError(thrown: unknown): string {
  const parts: string[] = [];
  let current: unknown = thrown;
  for (let depth = 0; depth < 4 && current !== undefined && current !== null; depth++) {
    const text = current instanceof Error ? current.message || codeOf(current) : textOf(current);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(': ');
}

function textOf(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? typeof thrown);
}

/** Stops on a state that only a bug can produce. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Failure('BUG', `assertion failed: ${message}`, { next: 'ask_operator' });
}

/** Marks the default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new Failure('BUG', `unexpected value ${JSON.stringify(value)}`, { next: 'ask_operator' });
}
