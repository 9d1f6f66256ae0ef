// Tokens as Entra signs them: RS256 JWTs. The signing key is made once per lab directory; other simulated vendors verify
// tokens through the public key file beside it, so they need no live identity endpoint.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
} from 'jose';

export interface SigningKey {
  /** Public keys for verifiers, also served at the endpoint's keys URL. */
  readonly jwksFile: string;
  readonly jwks: JSONWebKeySet;
  sign(claims: JWTPayload, times: { issuedAtSeconds: number; expiresAtSeconds: number }): Promise<string>;
}

const keyId = 'understudy-lab-1';

/** Makes the signing key on first use; later calls read the same one. */
export async function labSigningKey(directory: string): Promise<SigningKey> {
  mkdirSync(directory, { recursive: true });
  const privateFile = join(directory, 'token-signing.jwk.json');
  const jwksFile = join(directory, 'jwks.json');
  if (!existsSync(privateFile) || !existsSync(jwksFile)) await makeKey(privateFile, jwksFile);
  const key = await importJWK(JSON.parse(readFileSync(privateFile, 'utf8')) as JWK, 'RS256');
  return {
    jwksFile,
    jwks: JSON.parse(readFileSync(jwksFile, 'utf8')) as JSONWebKeySet,
    sign: (claims, times) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: keyId })
        .setIssuedAt(times.issuedAtSeconds)
        .setNotBefore(times.issuedAtSeconds)
        .setExpirationTime(times.expiresAtSeconds)
        .sign(key),
  };
}

async function makeKey(privateFile: string, jwksFile: string): Promise<void> {
  const pair = await generateKeyPair('RS256', { extractable: true });
  const common = { kid: keyId, use: 'sig', alg: 'RS256' };
  writeWhole(jwksFile, JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), ...common }] }), 0o644);
  writeWhole(privateFile, JSON.stringify({ ...(await exportJWK(pair.privateKey)), ...common }), 0o600);
}

/** Other processes read these files: they must never see half of one. */
function writeWhole(file: string, text: string, mode: number): void {
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
}

export interface VerifiedToken {
  readonly clientId: string;
  readonly tenantId: string;
}

/** Gives a function that checks a bearer token's signature, audience and expiry; it answers undefined for a bad one. */
export function tokenVerifier(options: {
  readonly jwksFile: string;
  readonly audience: string;
}): (token: string) => Promise<VerifiedToken | undefined> {
  const keys = createLocalJWKSet(JSON.parse(readFileSync(options.jwksFile, 'utf8')) as JSONWebKeySet);
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, { audience: options.audience, algorithms: ['RS256'] });
      const { appid, tid } = payload;
      if (typeof appid !== 'string' || typeof tid !== 'string') return undefined;
      return { clientId: appid, tenantId: tid };
    } catch {
      return undefined;
    }
  };
}
