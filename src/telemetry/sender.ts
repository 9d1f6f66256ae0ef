// Sends whole items to one destination: refused spans go to the quarantine, the rest stands in proof afterwards. Nothing
// is condemned while the server refuses everything.

import { describeError, Failure } from '#base';
import { batchesOf, deliver, isRefusal, type Refusal } from './deliver.ts';
import type { Health, HealthParts } from './health.ts';
import { encodeExport, unitsOf, type Item } from './item.ts';
import type { TelemetryDestination } from './port.ts';
import type { InProof } from './proof.ts';
import type { Quarantine } from './quarantine.ts';
import { withDeadline } from './waiting.ts';

/** An item, and since when (monotonic ms) it could have been sent. */
export interface Due {
  readonly item: Item;
  readonly sinceMs: number;
}

export interface SenderParts extends Omit<HealthParts, 'side'> {
  readonly destination: TelemetryDestination;
  readonly quarantine: Quarantine;
}

/** Refusals in one round without a single acceptance that are taken as the server's own trouble. */
const refusalsWithoutAcceptanceMax = 20;

export class Sender {
  readonly #parts: SenderParts;
  readonly #intake: Health;
  readonly #inProof: InProof;

  constructor(parts: SenderParts, state: { intake: Health; inProof: InProof }) {
    this.#parts = parts;
    this.#intake = state.intake;
    this.#inProof = state.inProof;
  }

  /** True when every span was accepted or quarantined, and the items stand in proof; false when the server failed. */
  async send(due: readonly Due[], signal: AbortSignal): Promise<boolean> {
    const { quarantine, clock } = this.#parts;
    let refused: readonly Refusal[];
    try {
      refused = await this.#deliver(due, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#intake.failed(error);
      return false;
    }
    this.#intake.succeeded();
    for (const refusal of refused) await this.#condemn(refusal);
    const nowMs = clock.monotonicMs();
    for (const { item, sinceMs } of due) {
      this.#inProof.add(item, { nowMs, sinceMs }, (key) => quarantine.has(key));
    }
    return true;
  }

  async #deliver(due: readonly Due[], signal: AbortSignal): Promise<readonly Refusal[]> {
    const { quarantine, limits } = this.#parts;
    const units = due.flatMap(({ item }) => unitsOf(item)).filter((unit) => !quarantine.has(unit.span));
    const refused: Refusal[] = [];
    let accepted = 0;
    for (const batch of batchesOf(units, limits)) {
      const delivery = await deliver(batch, { ...this.#parts, signal });
      accepted += delivery.accepted;
      refused.push(...delivery.refused);
    }
    if (refused.length > 0 && accepted === 0) await this.#doubt(refused, signal);
    return refused;
  }

  /** Nothing was accepted: does the server take an export without spans? Else the refusals are its own trouble. */
  async #doubt(refused: readonly Refusal[], signal: AbortSignal): Promise<void> {
    const { destination, clock, limits } = this.#parts;
    if (refused.length > refusalsWithoutAcceptanceMax) {
      throw refusesAll(`Langfuse refused all of ${refused.length} spans: ${refused[0]?.reason}`);
    }
    const call = { timeoutMs: limits.exportTimeoutMs, signal, what: `Langfuse (${destination.id})` };
    try {
      await withDeadline(clock, call, (inner) => destination.export(encodeExport([]), inner));
    } catch (error) {
      if (isRefusal(error)) throw refusesAll(`Langfuse refuses even an empty export: ${describeError(error)}`);
      throw error;
    }
  }

  async #condemn({ unit, code: error, reason }: Refusal): Promise<void> {
    const { destination, clock, quarantine, log } = this.#parts;
    const { traceId, spanId } = unit.span;
    await quarantine.keep(unit, { destination: destination.id, atMs: clock.wallMs(), code: error, reason });
    log({
      level: 'error',
      code: 'span-quarantined',
      message: reason,
      error,
      destination: destination.id,
      traceId,
      spanId,
    });
  }
}

function refusesAll(message: string): Failure {
  return new Failure('LANGFUSE_REFUSES_ALL', message, {
    next: 'ask_operator',
    hint: 'Check the address, the key and what stands in front of this Langfuse; nothing was quarantined.',
  });
}
