// Who is speaking: each person and each site signs a short-lived token with its own Ed25519 key (JWT, RFC 7519, EdDSA).
// Nothing secret travels, and a token is bound to one audience.

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { errors as joseErrors, jwtVerify, SignJWT } from 'jose';
import { Failure, type Clock, type Site } from '#base';
import type { SecretReader, Stamp } from '#stamp';

/** `person:ada`, `site:home`, `control`. */
export type Principal =
  | { readonly kind: 'person'; readonly id: string }
  | { readonly kind: 'site'; readonly id: Site }
  | { readonly kind: 'control'; readonly id: 'control' };

const lifetimeSeconds = 60;
const skewSeconds = 30;

export function principalName(principal: Principal): string {
  return principal.kind === 'control' ? 'control' : `${principal.kind}:${principal.id}`;
}

export interface TokenSigner {
  /** A fresh `authorization` header value for one audience. */
  authorization(audience: string): Promise<string>;
}

export function tokenSigner(principal: Principal, source: { privateKeyPem: string; clock: Clock }): TokenSigner {
  const key = createPrivateKey(source.privateKeyPem);
  return {
    async authorization(audience) {
      const seconds = Math.floor(source.clock.wallMs() / 1_000);
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: 'EdDSA' })
        .setSubject(principalName(principal))
        .setAudience(audience)
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + lifetimeSeconds)
        .sign(key);
      return `Bearer ${token}`;
    },
  };
}

export interface TokenVerifier {
  /** Who speaks; throws `UNAUTHENTICATED` with the reason. */
  verify(authorization: string | undefined): Promise<Principal>;
}

export function tokenVerifier(options: {
  stamp: Stamp;
  secrets: SecretReader;
  audience: string;
  clock: Clock;
}): TokenVerifier {
  return {
    async verify(authorization) {
      const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
      if (token === undefined) throw unauthenticated('no token was sent');
      const principal = principalOf(subjectOf(token));
      const reference = keyReferenceOf(options.stamp, principal);
      if (!principal || reference === undefined) throw unauthenticated('the stamp does not know who signed the token');
      const key = createPublicKey(await options.secrets.read(reference));
      try {
        await jwtVerify(token, key, {
          algorithms: ['EdDSA'],
          audience: options.audience,
          clockTolerance: skewSeconds,
          currentDate: new Date(options.clock.wallMs()),
        });
      } catch (error) {
        throw unauthenticated(error instanceof joseErrors.JOSEError ? error.message : 'the token is not readable');
      }
      return principal;
    },
  };
}

function subjectOf(token: string): string {
  try {
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      sub?: unknown;
    };
    return typeof payload.sub === 'string' ? payload.sub : '';
  } catch {
    return '';
  }
}

function principalOf(subject: string): Principal | undefined {
  if (subject === 'control') return { kind: 'control', id: 'control' };
  const [kind, id] = subject.split(':');
  if (kind === 'person' && id) return { kind, id };
  if (kind === 'site' && (id === 'home' || id === 'partner')) return { kind, id };
  return undefined;
}

function keyReferenceOf(stamp: Stamp, principal: Principal | undefined): string | undefined {
  if (!principal) return undefined;
  if (principal.kind === 'control') return stamp.control.identity.publicKey;
  if (principal.kind === 'site') return stamp.sites[principal.id].identity.publicKey;
  return stamp.people.find((person) => person.id === principal.id)?.publicKey;
}

function unauthenticated(why: string): Failure {
  return new Failure('UNAUTHENTICATED', `the call is not authenticated: ${why}`, {
    hint: 'act as a person of the stamp: `--as PERSON`, with that person’s key',
  });
}
