// What a failed request for a token means, and how to mend it. Matched by Entra's AADSTS codes.
// Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.

import { codeOf, Failure } from '#base';
import { DeadlineExceeded } from '../azure/mod.ts';

const known: Readonly<Record<string, { why: string; hint: string }>> = {
  '7000215': { why: 'the client secret is wrong', hint: 'put the current client secret where the stamp points' },
  '7000222': { why: 'the client secret has expired', hint: 'add a new client secret to the application' },
  '700016': { why: 'the tenant does not know the client id', hint: 'correct clientId or tenantId in the stamp' },
  '90002': { why: 'the tenant does not exist', hint: 'correct tenantId in the stamp' },
  '70011': { why: 'the scope is not valid', hint: 'correct scope in the stamp: a resource with /.default' },
  '1002012': { why: 'the scope lacks /.default', hint: 'correct scope in the stamp: a resource with /.default' },
  '500011': { why: 'the tenant does not know the resource of the scope', hint: 'correct scope in the stamp' },
};

/** Codes: IDENTITY_REFUSED (Entra said no), IDENTITY_TIMEOUT, IDENTITY_UNREACHABLE. The secret is never part of it. */
export function identityFailure(what: string, thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof DeadlineExceeded) {
    return new Failure('IDENTITY_TIMEOUT', `${what}: ${thrown.message}`, {
      next: 'retry',
      hint: 'check that the authority is up and reachable from here',
    });
  }
  const code = thrown instanceof Error ? /AADSTS(\d+)/.exec(thrown.message)?.[1] : undefined;
  if (code !== undefined) {
    const meaning = known[code] ?? { why: 'the authority refused', hint: `look up AADSTS${code}` };
    return new Failure('IDENTITY_REFUSED', `${what}: ${meaning.why} (AADSTS${code})`, {
      next: 'ask_operator',
      hint: meaning.hint,
      details: { aadsts: code },
    });
  }
  // MSAL asks the tenant's discovery document first; a tenant that does not exist has none.
  if (thrown instanceof Error && thrown.message.includes('endpoints_resolution_error')) {
    return new Failure('IDENTITY_REFUSED', `${what}: the authority does not describe this tenant`, {
      next: 'ask_operator',
      hint: 'correct authority or tenantId in the stamp, and check that the authority is reachable from here',
    });
  }
  return new Failure('IDENTITY_UNREACHABLE', `${what}: no usable answer (${codeOf(thrown)})`, {
    next: 'retry',
    hint: 'check the authority in the stamp, its certificate, DNS and firewall',
  });
}
