// Randomness comes in through this port, so that a simulation can repeat it from one seed.

import { randomBytes } from 'node:crypto';

export interface Randomness {
  bytes(length: number): Uint8Array;
  /** Uniform in [0, 1). */
  fraction(): number;
}

export const systemRandomness: Randomness = {
  bytes: (length) => randomBytes(length),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
};

/** Repeatable randomness for tests and simulations (mulberry32; not for secrets). */
export function seededRandomness(seed: number): Randomness {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    fraction,
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(fraction() * 256)),
  };
}
