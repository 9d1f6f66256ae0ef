// Opens an identity of the stamp with the official library: a service principal with a client secret.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Failure } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import type { TokenCredential } from '@azure/core-auth';

export type IdentityPlace = DependencyOf<'identity'>['home'];

/** Entra answers in well under a second; MSAL makes two calls for the first token. */
export const tokenDeadlineMs = 10_000;

/** Authorities that MSAL may verify against Microsoft's public instance discovery. */
const publicAuthorities = new Set([
  'login.microsoftonline.com',
  'login.microsoftonline.us',
  'login.partner.microsoftonline.cn',
]);

export async function openCredential(
  place: IdentityPlace,
  options: { readonly secrets: SecretReader; readonly directory: string; readonly signal: AbortSignal },
): Promise<TokenCredential> {
  const { ClientSecretCredential } = await import('@azure/identity');
  const secret = await options.secrets.read(place.clientSecret, options.signal);
  const ca = place.caFile === undefined ? undefined : await readCertificate(resolve(options.directory, place.caFile));
  return new ClientSecretCredential(place.tenantId, place.clientId, secret, {
    authorityHost: place.authority,
    disableInstanceDiscovery: !publicAuthorities.has(new URL(place.authority).hostname),
    ...(ca === undefined ? {} : { tlsOptions: { ca } }),
    // One repetition: asking twice for a token changes nothing, and the caller's deadline is short.
    retryOptions: { maxRetries: 1, retryDelayInMs: 200, maxRetryDelayInMs: 1_000 },
  });
}

async function readCertificate(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new Failure('IDENTITY_CA_UNREADABLE', `the CA file ${file} cannot be read: ${code}`, {
      next: 'ask_operator',
      hint: 'correct caFile of the identity in the stamp',
    });
  }
}
