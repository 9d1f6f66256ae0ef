// What the ledger accepts. The bounds hold for every adapter, so that a stamp can change its ledger later.

import { assert, type Json } from '#base';
import { ledgerBadName, ledgerTooLarge } from './errors.ts';

/** JSON bytes of one append with its cell writes. Leaves room under etcd's default request limit of 1.5 MiB. */
export const appendBytesMax = 1_048_576;
/** Events that one `read` returns when the caller names no limit. */
export const readLimitDefault = 10_000;

/** Streams and keys: text without control characters, so that every adapter can prefix and print them. */
export function checkName(name: string): void {
  if (!/^[^\p{Cc}\p{Cs}\p{Cn}]{1,512}$/u.test(name)) throw ledgerBadName(name);
}

/** The JSON text of each value; refuses together what is over the bound. */
export function encodeWithin(values: readonly Json[]): string[] {
  const texts = values.map((value) => {
    const text = JSON.stringify(value) as string | undefined;
    assert(text !== undefined, 'a ledger value is JSON');
    return text;
  });
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > appendBytesMax) throw ledgerTooLarge(bytes, appendBytesMax);
  return texts;
}
