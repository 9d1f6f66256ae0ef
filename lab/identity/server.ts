// A token endpoint like Microsoft Entra's, for service principals: OpenID discovery, signing keys, and the client
// credentials grant over https. The official `ClientSecretCredential` judges it.

import { z } from 'zod';
import { systemClock } from '#base';
import { sendJson, startVendor, type RunningVendor, type VendorCall } from '../kit/mod.ts';
import { makeLabCertificate, type LabCertificate } from './certificate.ts';
import { refusalBody, refusals, type TokenRefusal } from './errors.ts';
import { labSigningKey, type SigningKey } from './tokens.ts';

const client = z.strictObject({
  id: z.string().min(1),
  secret: z.string().min(1),
  /** The secret's end of life; after it the endpoint refuses it as Entra does. */
  secretExpiresAtMs: z.number().optional(),
});

export const identityOptions = z.strictObject({
  name: z.string().default('identity'),
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65_535),
  dataFile: z.string(),
  /** Where the certificate and the signing key live: `makeLabCertificate(directory)` and `jwks.json` are in it. */
  directory: z.string(),
  tenants: z.array(z.strictObject({ id: z.string().min(1), clients: z.array(client) })).min(1),
  /** Resources tokens can be asked for, as Entra knows service principals; anything else is AADSTS500011. */
  resources: z
    .array(z.string())
    .default(['https://vault.azure.net', 'https://management.azure.com', 'https://storage.azure.com']),
  tokenLifetimeSeconds: z.int().min(1).default(3_599),
});
export type IdentityOptions = z.input<typeof identityOptions>;
type Options = z.output<typeof identityOptions>;

export interface RunningIdentity extends RunningVendor {
  readonly certificate: LabCertificate;
  /** Public keys file, for vendors that verify tokens. */
  readonly jwksFile: string;
}

export async function startIdentity(input: IdentityOptions): Promise<RunningIdentity> {
  const options = identityOptions.parse(input);
  const certificate = await makeLabCertificate(options.directory);
  const key = await labSigningKey(options.directory);
  const vendor = await startVendor({
    ...options,
    tls: { cert: certificate.cert, key: certificate.key },
    handler: () => async (request, response, call) => {
      const own = `https://${request.headers.host ?? '127.0.0.1'}`;
      const answer = await route(request.method ?? '', call, { options, key, own });
      sendJson(response, answer.status, answer.body, { 'cache-control': 'no-store, no-cache', pragma: 'no-cache' });
    },
  });
  return Object.assign(vendor, { certificate, jwksFile: key.jwksFile });
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}
interface Parts {
  readonly options: Options;
  readonly key: SigningKey;
  /** This endpoint as the caller reached it. */
  readonly own: string;
}

async function route(method: string, call: VendorCall, parts: Parts): Promise<Answer> {
  const [, tenant = '', ...rest] = call.url.pathname.split('/');
  const tail = rest.join('/');
  if (method === 'GET' && tail === 'discovery/v2.0/keys') return { status: 200, body: parts.key.jwks };
  const known = parts.options.tenants.find((candidate) => candidate.id === tenant);
  if (method === 'GET' && tail === 'v2.0/.well-known/openid-configuration') {
    return known ? { status: 200, body: discovery(parts.own, tenant) } : refused(refusals.unknownTenant(tenant));
  }
  if (tail !== 'oauth2/v2.0/token') return { status: 404, body: { error: 'not_found' } };
  if (method !== 'POST') return { status: 405, body: { error: 'method_not_allowed' } };
  const form = new URLSearchParams((await call.body(65_536)).toString('utf8'));
  return known ? issue(form, known, call, parts) : refused(refusals.unknownTenant(tenant));
}

function discovery(own: string, tenant: string): Record<string, unknown> {
  return {
    token_endpoint: `${own}/${tenant}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${own}/${tenant}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${own}/${tenant}/v2.0`,
    authorization_endpoint: `${own}/${tenant}/oauth2/v2.0/authorize`,
    end_session_endpoint: `${own}/${tenant}/oauth2/v2.0/logout`,
    tenant_region_scope: 'EU',
    cloud_instance_name: 'microsoftonline.com',
  };
}

async function issue(
  form: URLSearchParams,
  tenant: Options['tenants'][number],
  call: VendorCall,
  { options, key, own }: Parts,
): Promise<Answer> {
  const clientId = form.get('client_id');
  const scope = form.get('scope');
  const refusal = judge(form, tenant, options.resources, call);
  if (refusal || clientId === null || scope === null) return refused(refusal ?? refusals.missingParameter('scope'));
  call.principal(clientId);
  const issuedAtSeconds = Math.floor(systemClock.wallMs() / 1_000);
  const audience = resourceOf(scope);
  const token = await key.sign(
    {
      aud: audience,
      iss: `${own}/${tenant.id}/v2.0`,
      tid: tenant.id,
      appid: clientId,
      oid: clientId,
      sub: clientId,
      ver: '1.0',
    },
    { issuedAtSeconds, expiresAtSeconds: issuedAtSeconds + options.tokenLifetimeSeconds },
  );
  call.effect('token-issued', clientId, { audience });
  const lifetime = options.tokenLifetimeSeconds;
  return {
    status: 200,
    body: { token_type: 'Bearer', expires_in: lifetime, ext_expires_in: lifetime, access_token: token },
  };
}

/** The checks in the order in which Entra makes them: request, application, secret, scope. */
function judge(
  form: URLSearchParams,
  tenant: Options['tenants'][number],
  resources: readonly string[],
  call: VendorCall,
): TokenRefusal | undefined {
  const grant = form.get('grant_type');
  if (grant === null) return refusals.missingParameter('grant_type');
  if (grant !== 'client_credentials') return refusals.unsupportedGrant(grant);
  const clientId = form.get('client_id');
  if (clientId === null) return refusals.missingParameter('client_id');
  const found = tenant.clients.find((candidate) => candidate.id === clientId);
  if (!found) return refusals.unknownClient(clientId, tenant.id);
  const secret = form.get('client_secret');
  if (secret === null) return refusals.missingCredential();
  if (secret !== found.secret) return refusals.wrongSecret(clientId);
  if ((found.secretExpiresAtMs ?? Infinity) <= systemClock.wallMs() || call.special('expired-credential')) {
    return refusals.expiredSecret(clientId);
  }
  return judgeScope(form.get('scope'), tenant.id, resources);
}

function judgeScope(scope: string | null, tenant: string, resources: readonly string[]): TokenRefusal | undefined {
  if (scope === null) return refusals.missingParameter('scope');
  // MSAL adds the OpenID scopes to what it was asked for in some flows; Entra ignores them here.
  const asked = scope.split(' ').filter((part) => !['openid', 'profile', 'offline_access'].includes(part));
  if (asked.length !== 1 || !URL.canParse(asked[0] ?? '')) return refusals.badScope(scope);
  if (!scope.includes('/.default')) return refusals.scopeNotDefault(scope);
  const resource = resourceOf(scope);
  return resources.includes(resource) ? undefined : refusals.unknownResource(resource, tenant);
}

/** `https://vault.azure.net/.default openid` → `https://vault.azure.net` */
function resourceOf(scope: string): string {
  const asked = scope.split(' ').find((part) => part.endsWith('/.default')) ?? '';
  return asked.slice(0, -'/.default'.length);
}

function refused(refusal: TokenRefusal): Answer {
  return { status: refusal.status, body: refusalBody(refusal, systemClock.wallMs()) };
}
