// Who is asking: the client whose key has the hash that stands in the stamp.

import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { sha256 } from '#base';
import type { Client } from '#stamp';
import { errors, type ApiError } from './errors.ts';

/** Longest key that is hashed at all. */
const keyLengthMax = 1_024;

export type Authentication =
  { readonly ok: true; readonly client: Client } | { readonly ok: false; readonly error: ApiError };

/** Builds the check once: every known hash is compared for every request, in constant time. */
export function authenticator(clients: readonly Client[]): (headers: IncomingHttpHeaders) => Authentication {
  const known = clients.map((client) => ({ client, hash: Buffer.from(client.keySha256, 'hex') }));
  return (headers) => {
    const key = keyOf(headers);
    if (key === undefined) {
      return refuse('No API key was sent. Send it as "Authorization: Bearer KEY".');
    }
    const hash = Buffer.from(sha256(key), 'hex');
    let found: Client | undefined;
    for (const entry of known) if (timingSafeEqual(entry.hash, hash)) found = entry.client;
    return found ? { ok: true, client: found } : refuse('The API key is not known here.');
  };
}

function keyOf(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec((headers.authorization ?? '').slice(0, keyLengthMax + 16))?.[1];
  const other = headers['api-key'];
  const key = bearer ?? (typeof other === 'string' && other !== '' ? other : undefined);
  return key !== undefined && key.length <= keyLengthMax ? key : undefined;
}

function refuse(message: string): Authentication {
  return { ok: false, error: errors.invalidKey(message, { headers: { 'www-authenticate': 'Bearer' } }) };
}
