// Basic authentication as Langfuse does it: the public key is the user, the secret key the password. Statuses and texts
// are those a Langfuse 4.16 was seen to answer.

import { equalInConstantTime, sha256 } from '#base';

export type Authentication =
  | { readonly ok: true; readonly publicKey: string }
  | { readonly ok: false; readonly status: number; readonly message: string };

/** `publicKeys`: public key → SHA-256 of its secret key. */
export function authenticate(header: string | undefined, publicKeys: ReadonlyMap<string, string>): Authentication {
  if (header === undefined || header === '') return refused(401, 'No authorization header');
  if (header.startsWith('Bearer ')) return refused(403, 'Invalid API key. Are you using an organization key?');
  const encoded = /^Basic ([A-Za-z0-9+/_=-]+)\s*$/.exec(header)?.[1];
  const pair = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 1) return refused(401, 'Invalid authorization header');
  const publicKey = pair.slice(0, colon);
  const expected = publicKeys.get(publicKey);
  // An unknown key costs the same comparison, and gets the same answer, as a wrong secret.
  const matches = equalInConstantTime(sha256(pair.slice(colon + 1)), expected ?? 'no such key');
  if (!matches || expected === undefined) {
    return refused(401, "Invalid credentials. Confirm that you've configured the correct host.");
  }
  return { ok: true, publicKey };
}

function refused(status: number, message: string): Authentication {
  return { ok: false, status, message };
}
