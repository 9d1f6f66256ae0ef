// A telemetry with two fake Langfuses, a journal in memory and a clock that moves when told: the stage of the drills.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, seededRandomness, sha256 } from '#base';
import type { TelemetryLimits } from '../limits.ts';
import type { DestinationState, Telemetry } from '../port.ts';
import { createTelemetry } from '../shipper.ts';
import { baseMs } from './exchanges.ts';
import { FakeLangfuse } from './fake-langfuse.ts';
import { MemoryJournal } from './memory-journal.ts';

export const publicKey = 'pk-lf-test';
export const secretKey = 'sk-lf-test';

export class World {
  readonly clock = new ManualClock(baseMs + 300);
  readonly home = new FakeLangfuse('home', this.clock);
  readonly partner = new FakeLangfuse('partner', this.clock);
  readonly log: { level: string; code: string; message: string }[] = [];
  readonly directory: string;
  readonly journal = new MemoryJournal();
  readonly #limits: Partial<TelemetryLimits>;
  telemetry: Telemetry;

  constructor(directory: string, limits: Partial<TelemetryLimits>) {
    this.directory = directory;
    this.#limits = limits;
    this.telemetry = this.#create();
  }

  /** As after SIGKILL: the old instance does nothing more, a new one stands on the same journal and directory. */
  async restart(): Promise<void> {
    await this.telemetry.stop();
    this.telemetry = this.#create();
    this.telemetry.start();
    await this.ready();
  }

  /** Cursors are read and the journal is followed; no time passes. */
  async ready(): Promise<void> {
    while (this.journal.followers === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** A restart that finds no cursor files. */
  async loseCursors(): Promise<void> {
    await this.telemetry.stop();
    for (const id of ['home', 'partner']) await rm(join(this.directory, `cursor-${id}.json`), { force: true });
    await this.restart();
  }

  state(id: 'home' | 'partner'): DestinationState {
    const state = this.telemetry.state().destinations.find((one) => one.id === id);
    if (!state) throw new Error(`no destination ${id}`);
    return state;
  }

  provenAll(...ids: ('home' | 'partner')[]): boolean {
    const all = this.journal.durableSequence;
    return ids.every((id) => this.state(id).provenThroughSequence === all);
  }

  /** Moves time on until the condition holds; fails after `limitMs` of the clock's time. */
  async until(condition: () => boolean, limitMs = 300_000): Promise<void> {
    const endMs = this.clock.monotonicMs() + limitMs;
    while (!condition()) {
      if (this.clock.monotonicMs() >= endMs) {
        throw new Error(`not reached: ${condition.toString()}\n${JSON.stringify(this.telemetry.state(), null, 1)}`);
      }
      await this.clock.advance(25);
    }
  }

  #create(): Telemetry {
    return createTelemetry({
      site: 'home',
      stamp: 'shop',
      journal: this.journal,
      destinations: [this.home, this.partner],
      clock: this.clock,
      randomness: seededRandomness(1),
      directory: this.directory,
      publicKeys: new Map([[publicKey, sha256(secretKey)]]),
      log: (line) => this.log.push(line),
      limits: this.#limits,
    });
  }
}

/** Runs a test in a fresh world and takes it down afterwards. */
export async function inWorld(
  test: (world: World) => Promise<void>,
  limits: Partial<TelemetryLimits> = {},
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-telemetry-'));
  const world = new World(directory, limits);
  try {
    await test(world);
  } finally {
    await world.telemetry.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
