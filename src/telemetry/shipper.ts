// Telemetry of one gateway process: the live fold, one carrier per destination, the relay, and the housekeeping that
// writes cursors and frees the journal.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, codeOf, describeError, Failure } from '#base';
import { beganAtMs, findInterrupted, type Interrupted } from './catch-up.ts';
import { Carrier } from './carrier.ts';
import { readCursor, writeCursor, type Cursor } from './cursor.ts';
import { cursorOf, stateOf, unknownState, type Line, type StateParts } from './destination-state.ts';
import { defaultLimits, type TelemetryLimits } from './limits.ts';
import { LiveFold } from './live.ts';
import type { Telemetry, TelemetryDestination, TelemetryOptions, TelemetryState } from './port.ts';
import { Quarantine } from './quarantine.ts';
import { createRelay } from './relay.ts';
import { JournalRelease } from './release.ts';

const flushPollMs = 25;

export function createTelemetry(options: TelemetryOptions): Telemetry {
  return new Shipper(options);
}

class Shipper implements Telemetry {
  readonly #options: TelemetryOptions;
  readonly #limits: TelemetryLimits;
  readonly #state: StateParts;
  readonly #interrupted: Interrupted = new Map();
  readonly #release: JournalRelease;
  readonly #stopping = new AbortController();
  readonly #relay: ReturnType<typeof createRelay>;
  readonly #saved = new Map<string, string>();
  #lines: Line[] | undefined;
  #running: Promise<void> | undefined;

  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    const { journal, clock, log } = options;
    const parts = { journal, clock, log, limits: this.#limits, interrupted: this.#interrupted, ...stampOf(options) };
    this.#state = { journal, clock, limits: this.#limits, live: new LiveFold(journal.durableSequence, parts) };
    this.#release = new JournalRelease(journal.durableSequence, { journal, clock, limits: this.#limits });
    this.#relay = createRelay({ ...options, limits: this.#limits });
  }

  start(): void {
    assert(this.#running === undefined, 'telemetry is started once');
    this.#running = this.#run(this.#stopping.signal);
  }

  handleRelay: Telemetry['handleRelay'] = (request, response) => this.#relay(request, response);

  state(): TelemetryState {
    const { journal, site, destinations } = this.#options;
    const { live } = this.#state;
    return {
      site,
      durableSequence: journal.durableSequence,
      running: live.runningCount,
      unreadable: live.unreadable,
      destinations: this.#lines
        ? this.#lines.map((line) => stateOf(line, this.#state))
        : destinations.map((destination) => unknownState(destination, journal)),
    };
  }

  async flush(signal: AbortSignal): Promise<void> {
    const { journal, clock } = this.#options;
    const target = journal.durableSequence;
    while (!this.#lines) await clock.sleep(flushPollMs, signal);
    await Promise.all(this.#lines.map((line) => this.#flushOne(line, target, signal)));
  }

  async #flushOne(line: Line, target: number, signal: AbortSignal): Promise<void> {
    const { intake, reads } = line.carrier;
    const before = intake.failedTotal + reads.failedTotal;
    line.carrier.askNow();
    while (cursorOf(line, this.#state).provenThroughSequence < target) {
      // Asked again since the flush began, and still no answer: not reachable.
      if ((intake.down || reads.down) && intake.failedTotal + reads.failedTotal > before) return;
      await this.#options.clock.sleep(flushPollMs, signal);
    }
  }

  async releaseQuarantine(destination: string, by: { person: string; reason: string }): Promise<number> {
    const line = this.#lines?.find((one) => one.destination.id === destination);
    if (!line) throw new Failure('DESTINATION_UNKNOWN', `no telemetry destination ${destination}`);
    return line.quarantine.release({ ...by, atMs: this.#options.clock.wallMs() });
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Failure('STOPPED', 'telemetry was stopped'));
    await this.#running;
    if (this.#lines) await this.#saveCursors(this.#lines);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { log, clock } = this.#options;
    while (!signal.aborted) {
      try {
        return await this.#runOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        log({ level: 'error', code: 'telemetry-not-started', error: codeOf(error), message: describeError(error) });
        await clock.sleep(this.#limits.backoffMaxMs, signal).catch(() => {});
      }
    }
  }

  async #runOnce(signal: AbortSignal): Promise<void> {
    const { directory, destinations } = this.#options;
    await mkdir(directory, { recursive: true });
    const prepared: { line: Line; after: number }[] = [];
    for (const destination of destinations) prepared.push(await this.#prepare(destination));
    const lines = prepared.map(({ line }) => line);
    const carriers = lines.map(({ carrier }) => carrier);
    const through = this.#state.live.throughSequence;
    const after = Math.min(through, ...prepared.map((one) => one.after));
    const interruptedKnown = this.#learnInterrupted({ after, through }, signal);
    this.#lines = lines;
    await Promise.all([
      this.#state.live.run(carriers, signal),
      this.#keepHouse(lines, signal),
      ...carriers.map((carrier) => carrier.run(signal, interruptedKnown)),
    ]);
  }

  /** Reads cursor and quarantine; what the journal held before this start is caught up, read-back first. */
  async #prepare(destination: TelemetryDestination): Promise<{ line: Line; after: number }> {
    const { journal, clock, directory, log } = this.#options;
    const { live } = this.#state;
    const quarantine = await Quarantine.open(join(directory, `quarantine-${destination.id}.jsonl`));
    const carrier = new Carrier({
      ...this.#options,
      destination,
      quarantine,
      limits: this.#limits,
      interrupted: this.#interrupted,
      isRunning: (sequence) => live.isRunning(sequence),
    });
    const through = live.throughSequence;
    const first = journal.state().firstSequence - 1;
    const cursor = await readCursor(join(directory, `cursor-${destination.id}.json`));
    const fits = cursor !== undefined && cursor.provenThroughSequence <= through;
    if (cursor && !fits)
      log({
        level: 'warn',
        code: 'cursor-ahead-of-journal',
        message: 'the cursor belongs to another journal; reading back from the start',
        destination: destination.id,
      });
    const after = Math.min(through, Math.max(first, fits ? cursor.provenThroughSequence : 0));
    const fromMs = fits ? cursor.provenThroughMs : await this.#oldestMs(after);
    const ageMs = Math.max(0, clock.wallMs() - fromMs);
    carrier.reread({ after, through, fromMs, sinceMs: clock.monotonicMs() - ageMs });
    return { line: { destination, carrier, quarantine }, after };
  }

  /** Without a cursor: nothing in the journal began before its first item, but for the slack. */
  async #oldestMs(after: number): Promise<number> {
    const { journal, clock } = this.#options;
    for await (const record of journal.read({ afterSequence: after, signal: this.#stopping.signal })) {
      const atMs = beganAtMs(record);
      if (atMs !== undefined) return atMs - this.#limits.startSlackMs;
    }
    return clock.wallMs();
  }

  async #learnInterrupted(stretch: { after: number; through: number }, signal: AbortSignal): Promise<void> {
    const { journal, clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        for (const [open, last] of await findInterrupted(journal, stretch, signal)) this.#interrupted.set(open, last);
        return;
      } catch (error) {
        if (signal.aborted) return;
        log({ level: 'error', code: 'journal-read-failed', error: codeOf(error), message: describeError(error) });
        await clock.sleep(this.#limits.backoffMaxMs, signal).catch(() => {});
      }
    }
  }

  async #keepHouse(lines: readonly Line[], signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        this.#state.live.sweep(lines.map(({ carrier }) => carrier));
        await this.#saveCursors(lines);
        await this.#release.step(lines.map((line) => this.#settledThrough(line)));
      } catch (error) {
        log({ level: 'error', code: 'housekeeping-failed', error: codeOf(error), message: describeError(error) });
      }
      await clock.sleep(this.#limits.cursorEveryMs, signal).catch(() => {});
    }
  }

  #settledThrough({ destination, carrier, quarantine }: Line): number {
    const { provenThroughSequence } = cursorOf({ destination, carrier, quarantine }, this.#state);
    return Math.min(provenThroughSequence, (quarantine.firstSequence ?? Infinity) - 1);
  }

  async #saveCursors(lines: readonly Line[]): Promise<void> {
    for (const line of lines) {
      const cursor: Cursor = cursorOf(line, this.#state);
      const mark = `${cursor.provenThroughSequence}/${cursor.sentThroughSequence}`;
      if (this.#saved.get(line.destination.id) === mark) continue;
      await writeCursor(join(this.#options.directory, `cursor-${line.destination.id}.json`), cursor);
      this.#saved.set(line.destination.id, mark);
    }
  }
}

function stampOf(options: TelemetryOptions): { stamp?: string } {
  return options.stamp === undefined ? {} : { stamp: options.stamp };
}
