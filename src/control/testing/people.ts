// Keys of the example stamp's people, sites and controller, made anew, and read the way the program reads secrets.

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { Failure } from '#base';
import { parseStamp, type SecretReader, type Stamp } from '#stamp';

const text = readFileSync(new URL('../../../examples/stamp.azure.yaml', import.meta.url), 'utf8');

export function exampleStamp(): Stamp {
  const loaded = parseStamp(text, { file: 'stamp.yaml' });
  assert.ok(loaded.ok, 'the example is a right stamp');
  return loaded.stamp;
}

export interface Keys {
  readonly secrets: SecretReader;
  /** Private key (PEM) behind a public reference of the stamp. */
  privateKeyOf(reference: string): string;
  personKey(id: string): string;
}

export function keysOf(stamp: Stamp): Keys {
  const pairs = new Map<string, { publicKey: string; privateKey: string }>();
  for (const reference of [
    stamp.control.identity.publicKey,
    stamp.sites.home.identity.publicKey,
    stamp.sites.partner.identity.publicKey,
    ...stamp.people.map((person) => person.publicKey),
  ]) {
    pairs.set(reference, newKeyPair());
  }
  const pairOf = (reference: string): { publicKey: string; privateKey: string } => {
    const pair = pairs.get(reference);
    if (!pair) throw new Failure('SECRET_UNREADABLE', `there is no ${reference}`);
    return pair;
  };
  return {
    secrets: { read: async (reference) => pairOf(reference).publicKey },
    privateKeyOf: (reference) => pairOf(reference).privateKey,
    personKey: (id) => pairOf(stamp.people.find((person) => person.id === id)?.publicKey ?? id).privateKey,
  };
}

export function newKeyPair(): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}
