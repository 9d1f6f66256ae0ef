// Digests and comparisons of content. Lower-case hex everywhere.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalJson } from './json.ts';

/** SHA-256 of bytes or UTF-8 text, 64 lower-case hex digits. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** SHA-256 of a value's canonical JSON. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}

/** HMAC-SHA-256, for comparing secrets without holding them. */
export function hmacSha256(key: Uint8Array, content: string | Uint8Array): string {
  return createHmac('sha256', key).update(content).digest('hex');
}

/** Compares two strings in time that does not depend on where they differ. */
export function equalInConstantTime(a: string, b: string): boolean {
  const left = Buffer.from(sha256(a), 'hex');
  const right = Buffer.from(sha256(b), 'hex');
  return timingSafeEqual(left, right);
}
