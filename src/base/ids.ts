// Identifiers: sortable by creation time, safe in file names and URLs.

import type { Clock } from './clock.ts';
import type { Randomness } from './randomness.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'; // Crockford base 32

/** `run_01jd3k…`: a prefix, ten characters of wall time, eight of randomness. */
export function newId(prefix: string, sources: { clock: Clock; randomness: Randomness }): string {
  let time = '';
  let rest = sources.clock.wallMs();
  for (let index = 0; index < 10; index++) {
    time = alphabet[rest % 32] + time;
    rest = Math.floor(rest / 32);
  }
  const tail = Array.from(sources.randomness.bytes(8), (byte) => alphabet[byte % 32]).join('');
  return `${prefix}_${time}${tail}`;
}

/** Random lower-case hex of `byteLength` bytes, never all zero (W3C Trace Context forbids zero ids). */
export function randomHex(byteLength: number, randomness: Randomness): string {
  const bytes = randomness.bytes(byteLength);
  if (bytes.every((byte) => byte === 0)) bytes[byteLength - 1] = 1;
  return Buffer.from(bytes).toString('hex');
}
