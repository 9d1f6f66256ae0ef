// One run's log: the only writer of its stream in this process. Appends are made one after another, each with the
// sequence it expects; whoever waits for a change is told after it is durable.

import { Failure, newId, type Clock, type Randomness } from '#base';
import type { AppendWith, CellWrite, Ledger, LedgerEvent, NewEvent } from '#ledger';
import type { LoggedRunEvent, RunEvent } from './events.ts';
import { foldRun, type RunState } from './fold.ts';

export const runStreamPrefix = 'run/';

export class RunLog {
  readonly #ledger: Ledger;
  readonly run: string;
  #events: LoggedRunEvent[];
  #state: RunState;
  #tail: Promise<unknown> = Promise.resolve();
  #listeners = new Set<() => void>();

  private constructor(ledger: Ledger, run: string, events: LoggedRunEvent[]) {
    this.#ledger = ledger;
    this.run = run;
    this.#events = events;
    this.#state = foldRun(events);
  }

  /** Starts a new run; `writes` happen in the same transaction as its first event. */
  static async open(
    ledger: Ledger,
    first: RunEvent & { type: 'run-opened' },
    writes: readonly CellWrite[] = [],
  ): Promise<RunLog> {
    await ledger.append(runStreamPrefix + first.body.run, 0, [asNewEvent(first)], writes);
    return RunLog.load(ledger, first.body.run);
  }

  static async load(ledger: Ledger, run: string): Promise<RunLog> {
    const events = await ledger.read(runStreamPrefix + run);
    if (events.length === 0) {
      throw new Failure('RUN_UNKNOWN', `there is no run ${run}`, { hint: 'list the runs with `understudy runs`' });
    }
    return new RunLog(ledger, run, events.map(asRunEvent));
  }

  get state(): RunState {
    return this.#state;
  }

  get events(): readonly LoggedRunEvent[] {
    return this.#events;
  }

  /** Appends events; resolves when they are durable and folded. */
  append(events: readonly RunEvent[]): Promise<RunState> {
    return this.appendBy(events, (append) =>
      this.#ledger.append(append.stream, append.expectedSequence, append.events),
    );
  }

  /** Appends events through a writer that changes something else in the same transaction. */
  appendBy(events: readonly RunEvent[], write: (append: AppendWith) => Promise<unknown>): Promise<RunState> {
    const appended = this.#tail.then(async () => {
      const expectedSequence = this.#state.sequence;
      const stream = runStreamPrefix + this.run;
      await write({ stream, expectedSequence, events: events.map(asNewEvent) });
      const written = await this.#ledger.read(stream, { afterSequence: expectedSequence });
      this.#events = [...this.#events, ...written.map(asRunEvent)];
      this.#state = foldRun(this.#events);
      // A copy, because a listener that is satisfied takes itself out.
      for (const listener of Array.from(this.#listeners)) listener();
      return this.#state;
    });
    this.#tail = appended.catch(() => undefined);
    return appended;
  }

  /** Resolves when the state satisfies the condition; rejects when the signal aborts. */
  until(condition: (state: RunState) => boolean, signal: AbortSignal): Promise<RunState> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        this.#listeners.delete(look);
        signal.removeEventListener('abort', abort);
        finish();
      };
      const look = (): void => {
        if (condition(this.#state)) settle(() => resolve(this.#state));
      };
      const abort = (): void => settle(() => reject(signal.reason as Error));
      this.#listeners.add(look);
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      else look();
    });
  }
}

/** Every run in the ledger, oldest first. */
export async function listRuns(ledger: Ledger): Promise<RunState[]> {
  const streams = await ledger.streams(runStreamPrefix);
  const states = await Promise.all(
    streams.map(async (stream) => (await RunLog.load(ledger, stream.slice(runStreamPrefix.length))).state),
  );
  return states.sort((a, b) => a.openedAtMs - b.openedAtMs);
}

export function newRunId(sources: { clock: Clock; randomness: Randomness }): string {
  return newId('run', sources);
}

function asNewEvent(event: RunEvent): NewEvent {
  return { type: event.type, body: JSON.parse(JSON.stringify(event.body)) as NewEvent['body'] };
}

function asRunEvent(event: LedgerEvent): LoggedRunEvent {
  return {
    type: event.type,
    body: event.body,
    sequence: event.sequence,
    atMs: event.atMs,
  } as unknown as LoggedRunEvent;
}
