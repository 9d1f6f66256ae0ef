// Faults that the lab injects into a simulated vendor, over `PUT /_lab/faults`.

import { z } from 'zod';

const match = {
  /** Regular expression over `METHOD /path`; absent: every call. */
  match: z.string().optional(),
  /** How many calls it hits before it is gone; absent: until removed. */
  times: z.int().min(1).optional(),
  /** How many matching calls pass unharmed first. */
  skip: z.int().min(0).optional(),
};

export const faultSchema = z.discriminatedUnion('kind', [
  /** The connection is reset before a byte is read. */
  z.strictObject({ kind: z.literal('refuse'), ...match }),
  /** The call is read and never answered. */
  z.strictObject({ kind: z.literal('black-hole'), ...match }),
  /** The first byte comes late. */
  z.strictObject({ kind: z.literal('slow'), delayMs: z.int().min(1), ...match }),
  /** An answer of this status instead of the real one; nothing takes effect. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(400).max(599),
    headers: z.record(z.string(), z.string()).default({}),
    body: z.string().default(''),
    ...match,
  }),
  /** The call takes effect, then the connection is cut before the answer. */
  z.strictObject({ kind: z.literal('lose-answer'), ...match }),
  /** For vendors that understand it: `accept-and-drop`, `cut-stream`, `stall-stream`, `malformed-event` … */
  z.strictObject({ kind: z.literal('special'), name: z.string(), value: z.json().optional(), ...match }),
]);

export type Fault = z.infer<typeof faultSchema>;

export class Faults {
  #active: { fault: Fault; hits: number; seen: number }[] = [];

  list(): Fault[] {
    return this.#active.map((entry) => entry.fault);
  }

  replace(faults: readonly Fault[]): void {
    this.#active = faults.map((fault) => ({ fault, hits: 0, seen: 0 }));
  }

  /** The faults that hit this call, each counted once. */
  take(call: string): Fault[] {
    const hitting: Fault[] = [];
    for (const entry of this.#active) {
      if (entry.fault.match !== undefined && !new RegExp(entry.fault.match).test(call)) continue;
      entry.seen++;
      if (entry.seen <= (entry.fault.skip ?? 0)) continue;
      if (entry.fault.times !== undefined && entry.hits >= entry.fault.times) continue;
      entry.hits++;
      hitting.push(entry.fault);
    }
    return hitting;
  }
}
