// Randomness for ids, drawn in blocks: asking the system for eight bytes at a time was a tenth of a request's time.

import type { Randomness } from '#base';

const blockBytes = 4_096;

/** The same source, asked once per block. Not for secrets: unused bytes stay in memory. */
export function pooledRandomness(source: Randomness): Randomness {
  let block = new Uint8Array(0);
  let used = 0;
  return {
    bytes(length) {
      if (length > blockBytes) return source.bytes(length);
      if (used + length > block.length) {
        block = Uint8Array.from(source.bytes(blockBytes));
        used = 0;
      }
      used += length;
      // A copy: what was handed out belongs to its caller.
      return block.slice(used - length, used);
    },
    fraction: () => source.fraction(),
  };
}
