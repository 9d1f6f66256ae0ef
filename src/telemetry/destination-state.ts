// What a destination's carrier looks like from outside: cursors, lags and mode, computed from what is unsettled now.

import type { Clock } from '#base';
import type { Journal } from '#journal';
import type { Carrier, Unsettled } from './carrier.ts';
import type { Cursor } from './cursor.ts';
import type { LiveFold } from './live.ts';
import type { TelemetryLimits } from './limits.ts';
import type { DestinationState, TelemetryDestination } from './port.ts';
import type { Quarantine } from './quarantine.ts';

export interface Line {
  readonly destination: TelemetryDestination;
  readonly carrier: Carrier;
  readonly quarantine: Quarantine;
}

export interface StateParts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly limits: TelemetryLimits;
  readonly live: LiveFold;
}

interface Oldest {
  sequence: number;
  atMs: number;
  sinceMs: number;
}

/** The cursors of one destination: through which sequence everything is sent, and proven. */
export function cursorOf(line: Line, parts: StateParts): Cursor {
  const unsent = oldestOf([runningOf(parts.live), line.carrier.unsent()]);
  const unproven = oldestOf([runningOf(parts.live), line.carrier.unproven()]);
  return {
    sentThroughSequence: Math.min(parts.live.throughSequence, unsent.sequence - 1),
    provenThroughSequence: Math.min(parts.live.throughSequence, unproven.sequence - 1),
    provenThroughMs: provenThroughMs(unproven, parts),
  };
}

export function stateOf(line: Line, parts: StateParts): DestinationState {
  const { carrier } = line;
  const nowMs = parts.clock.monotonicMs();
  const cursor = cursorOf(line, parts);
  const unsent = oldestOf([carrier.unsent()]);
  const ended = oldestOf([carrier.unproven()]);
  const all = oldestOf([runningOf(parts.live), carrier.unproven()]);
  const records = parts.journal.durableSequence - cursor.provenThroughSequence;
  const lastError = [carrier.intake.lastError, carrier.reads.lastError]
    .filter((error) => error !== undefined)
    .sort((a, b) => b.atMs - a.atMs)[0];
  const oldestUnprovenAgeSeconds = seconds(nowMs - Math.min(nowMs, ended.sinceMs));
  const down = carrier.intake.down || carrier.reads.down;
  return {
    id: line.destination.id,
    mode: down ? 'down' : oldestUnprovenAgeSeconds * 1_000 > parts.limits.behindMs ? 'behind' : 'ok',
    ...cursor,
    sentLagSeconds: seconds(nowMs - Math.min(nowMs, unsent.sinceMs)),
    provenLagSeconds: seconds(parts.clock.wallMs() - Math.min(parts.clock.wallMs(), all.atMs)),
    oldestUnprovenAgeSeconds,
    recordsWaiting: Math.max(0, records),
    bytesWaiting: bytesWaiting(records, parts.journal),
    quarantined: line.quarantine.size,
    resent: carrier.resent,
    lastError,
  };
}

/** Before the cursors are read nothing is known, and nothing is claimed. */
export function unknownState(destination: TelemetryDestination, journal: Journal): DestinationState {
  const records = journal.durableSequence - (journal.state().firstSequence - 1);
  return {
    id: destination.id,
    mode: 'behind',
    sentThroughSequence: 0,
    provenThroughSequence: 0,
    provenThroughMs: 0,
    sentLagSeconds: 0,
    provenLagSeconds: 0,
    oldestUnprovenAgeSeconds: 0,
    recordsWaiting: Math.max(0, records),
    bytesWaiting: bytesWaiting(records, journal),
    quarantined: 0,
    resent: 0,
    lastError: undefined,
  };
}

function provenThroughMs(unproven: Oldest, { live, journal, clock, limits }: StateParts): number {
  const drainedAtMs = live.throughSequence >= journal.durableSequence ? clock.wallMs() : live.drainedAtMs;
  return Math.max(0, Math.min(unproven.atMs, drainedAtMs - limits.startSlackMs));
}

function* runningOf(live: LiveFold): Generator<Unsettled> {
  for (const { sequence, open, seenAtMs } of live.running) {
    yield { sequence, atMs: open.startedAtMs, sinceMs: seenAtMs };
  }
}

function oldestOf(sources: readonly Iterable<Unsettled>[]): Oldest {
  const oldest: Oldest = { sequence: Infinity, atMs: Infinity, sinceMs: Infinity };
  for (const source of sources) {
    for (const one of source) {
      oldest.sequence = Math.min(oldest.sequence, one.sequence);
      oldest.atMs = Math.min(oldest.atMs, one.atMs);
      oldest.sinceMs = Math.min(oldest.sinceMs, one.sinceMs);
    }
  }
  return oldest;
}

function bytesWaiting(records: number, journal: Journal): number {
  const { bytes, firstSequence, durableSequence } = journal.state();
  const all = durableSequence - firstSequence + 1;
  return all <= 0 || records <= 0 ? 0 : Math.round(bytes * Math.min(1, records / all));
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms) / 1_000);
}
