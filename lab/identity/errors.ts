// Refusals of the token endpoint, in Entra's words: an OAuth error, AADSTS code and the fields its clients read.
// Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.

import { randomUUID } from 'node:crypto';

export interface TokenRefusal {
  readonly status: number;
  readonly error: string;
  readonly code: number;
  readonly text: string;
}

export const refusals = {
  unknownTenant: (tenant: string): TokenRefusal => ({
    status: 400,
    error: 'invalid_request',
    code: 90_002,
    text: `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`,
  }),
  unknownClient: (client: string, tenant: string): TokenRefusal => ({
    status: 400,
    error: 'unauthorized_client',
    code: 700_016,
    text: `Application with identifier '${client}' was not found in the directory '${tenant}'.`,
  }),
  wrongSecret: (client: string): TokenRefusal => ({
    status: 401,
    error: 'invalid_client',
    code: 7_000_215,
    text: `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${client}'.`,
  }),
  expiredSecret: (client: string): TokenRefusal => ({
    status: 401,
    error: 'invalid_client',
    code: 7_000_222,
    text: `The provided client secret keys for app '${client}' are expired.`,
  }),
  missingCredential: (): TokenRefusal => ({
    status: 401,
    error: 'invalid_client',
    code: 7_000_218,
    text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  }),
  missingParameter: (name: string): TokenRefusal => ({
    status: 400,
    error: 'invalid_request',
    code: 900_144,
    text: `The request body must contain the following parameter: '${name}'.`,
  }),
  unsupportedGrant: (grant: string): TokenRefusal => ({
    status: 400,
    error: 'unsupported_grant_type',
    code: 70_003,
    text: `The app requested an unsupported grant type '${grant}'.`,
  }),
  scopeNotDefault: (scope: string): TokenRefusal => ({
    status: 400,
    error: 'invalid_scope',
    code: 1_002_012,
    text: `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
  }),
  badScope: (scope: string): TokenRefusal => ({
    status: 400,
    error: 'invalid_scope',
    code: 70_011,
    text: `The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope ${scope} is not valid.`,
  }),
  unknownResource: (resource: string, tenant: string): TokenRefusal => ({
    status: 400,
    error: 'invalid_resource',
    code: 500_011,
    text: `The resource principal named ${resource} was not found in the tenant named ${tenant}.`,
  }),
} as const;

/** The JSON body of a refusal. */
export function refusalBody(refusal: TokenRefusal, nowMs: number): Record<string, unknown> {
  const trace = randomUUID();
  const correlation = randomUUID();
  const timestamp = `${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
  return {
    error: refusal.error,
    error_description: `AADSTS${refusal.code}: ${refusal.text} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    error_codes: [refusal.code],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
    error_uri: `https://login.microsoftonline.com/error?code=${refusal.code}`,
  };
}
