// A Key Vault like Azure's, secrets only: authentication challenge, bearer tokens checked by signature and audience,
// paging, versions, soft delete. The official `SecretClient` judges it. Backup and restore are not simulated.

import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { systemClock } from '#base';
import { tokenVerifier } from '../identity/mod.ts';
import { sendJson, startVendor, type RunningVendor } from '../kit/mod.ts';
import { badParameter, forbiddenByRbac, readOnly, VaultRefusal } from './errors.ts';
import * as operations from './operations.ts';
import type { Answer, Asked } from './operations.ts';
import { SecretTables } from './store.ts';

const permissions = ['get', 'list', 'set', 'delete', 'recover', 'purge'] as const;
type Permission = (typeof permissions)[number];

export const keyVaultOptions = z.strictObject({
  name: z.string().default('key-vault'),
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65_535),
  dataFile: z.string(),
  /** Public keys of the identity endpoint (`jwks.json` of its directory). */
  jwksFile: z.string(),
  /** Named in the challenge: the identity endpoint's URL with the tenant. */
  authority: z.url(),
  tenantId: z.string().min(1),
  /** What each client id may do; a client not named is refused as role-based access control refuses it. */
  access: z.record(z.string(), z.array(z.enum(permissions))),
  /** Secrets put in at the first start only. */
  seed: z
    .array(
      z.strictObject({
        name: z.string(),
        value: z.string(),
        contentType: z.string().optional(),
        tags: z.record(z.string(), z.string()).optional(),
        managed: z.boolean().optional(),
      }),
    )
    .default([]),
  /** How long deleting and recovering take. */
  transitionMs: z.int().min(0).default(50),
});
export type KeyVaultOptions = z.input<typeof keyVaultOptions>;
type Options = z.output<typeof keyVaultOptions>;

const audience = 'https://vault.azure.net';
/** Stable versions this vault knows; 2026-04-01 is what @azure/keyvault-secrets 4.12 sends. */
const versions = ['7.0', '7.1', '7.2', '7.3', '7.4', '7.5', '7.6', '2025-07-01', '2026-04-01'];
const namePattern = /^[0-9a-zA-Z-]{1,127}$/;

export async function startKeyVault(input: KeyVaultOptions): Promise<RunningVendor> {
  const options = keyVaultOptions.parse(input);
  const verify = tokenVerifier({ jwksFile: options.jwksFile, audience });
  return startVendor({
    ...options,
    handler: ({ ledger }) => {
      const tables = new SecretTables(ledger.database, options.transitionMs);
      seed(tables, options);
      return async (request, response, call) => {
        const vault = `http://${request.headers.host ?? '127.0.0.1'}`;
        try {
          const client = await authenticate(request, options, verify);
          call.principal(client);
          const asked: Asked = { tables, call, vault, nowMs: systemClock.wallMs() };
          const answer = await perform(request.method ?? '', asked, { client, options });
          if (answer.body === undefined) response.writeHead(answer.status).end();
          else sendJson(response, answer.status, answer.body);
        } catch (error) {
          if (!(error instanceof VaultRefusal)) throw error;
          request.resume();
          const headers: Record<string, string> =
            error.status === 401 ? { 'www-authenticate': challenge(options) } : {};
          sendJson(response, error.status, error.body(), headers);
        }
      };
    },
  });
}

function challenge(options: Options): string {
  return `Bearer authorization="${options.authority}", resource="${audience}"`;
}

async function authenticate(
  request: IncomingMessage,
  options: Options,
  verify: ReturnType<typeof tokenVerifier>,
): Promise<string> {
  const match = /^Bearer (.+)$/.exec(request.headers.authorization ?? '');
  if (!match?.[1]) throw new VaultRefusal(401, 'Unauthorized', 'AKV10000: Request is missing a Bearer or PoP token.');
  const token = await verify(match[1]);
  if (!token) throw new VaultRefusal(401, 'Unauthorized', 'AKV10046: Unable to validate the bearer token.');
  if (token.tenantId !== options.tenantId) {
    throw new VaultRefusal(401, 'Unauthorized', `AKV10032: Invalid issuer. Expected tenant ${options.tenantId}.`);
  }
  return token.clientId;
}

interface Operation {
  readonly permission: Permission;
  run(name: string, version: string, asked: Asked): Answer | Promise<Answer>;
}

/** By method and the shape of the path: `:n` a secret's name, `:v` one of its versions. */
const table: Readonly<Record<string, Operation>> = {
  'GET /secrets': { permission: 'list', run: (_name, _version, asked) => operations.listSecrets(asked) },
  'GET /secrets/:n/versions': {
    permission: 'list',
    run: (name, _version, asked) => operations.listVersions(name, asked),
  },
  'GET /secrets/:n': { permission: 'get', run: operations.getSecret },
  'GET /secrets/:n/:v': { permission: 'get', run: operations.getSecret },
  'PUT /secrets/:n': { permission: 'set', run: (name, _version, asked) => operations.setSecret(name, asked) },
  'PATCH /secrets/:n': { permission: 'set', run: operations.updateSecret },
  'PATCH /secrets/:n/:v': { permission: 'set', run: operations.updateSecret },
  'DELETE /secrets/:n': { permission: 'delete', run: (name, _version, asked) => operations.deleteSecret(name, asked) },
  'GET /deletedsecrets': { permission: 'list', run: (_name, _version, asked) => operations.listDeleted(asked) },
  'GET /deletedsecrets/:n': { permission: 'get', run: (name, _version, asked) => operations.getDeleted(name, asked) },
  'POST /deletedsecrets/:n/recover': {
    permission: 'recover',
    run: (name, _version, asked) => operations.recoverDeleted(name, asked),
  },
  'DELETE /deletedsecrets/:n': {
    permission: 'purge',
    run: (name, _version, asked) => operations.purgeDeleted(name, asked),
  },
};

async function perform(method: string, asked: Asked, who: { client: string; options: Options }): Promise<Answer> {
  checkVersion(asked.call.url);
  const [, collection = '', name = '', tail = '', extra] = asked.call.url.pathname.split('/');
  if (extra !== undefined) throw new VaultRefusal(404, 'NotFound', 'No such resource.');
  if (name !== '' && !namePattern.test(name)) {
    throw badParameter(`The request URI contains an invalid name: ${name}`);
  }
  const last = tail === '' ? '' : ['versions', 'recover'].includes(tail) ? `/${tail}` : '/:v';
  const operation = table[`${method} /${collection}${name === '' ? '' : '/:n'}${last}`];
  if (!operation) throw methodNotAllowed(method);
  const { permission } = operation;
  if (!who.options.access[who.client]?.includes(permission)) throw forbiddenByRbac(who.client, permission);
  if (permission !== 'get' && permission !== 'list' && asked.call.special('read-only')) throw readOnly();
  return operation.run(name, tail, asked);
}

function methodNotAllowed(method: string): VaultRefusal {
  return new VaultRefusal(405, 'MethodNotAllowed', `${method} is not supported on this resource.`);
}

function checkVersion(url: URL): void {
  const version = url.searchParams.get('api-version');
  if (version === null) throw badParameter('A version must be specified with the query parameter api-version.');
  if (!versions.includes(version)) throw badParameter(`The specified version (${version}) is not recognized.`);
}

function seed(tables: SecretTables, options: Options): void {
  const nowMs = systemClock.wallMs();
  for (const secret of options.seed) {
    if (tables.state(secret.name, nowMs)) continue;
    const { name, value, contentType = null, tags = {}, managed = false } = secret;
    tables.add(
      { name, value, contentType, tags, managed, enabled: true, nbf: null, exp: null },
      Math.floor(nowMs / 1_000),
    );
    tables.setState(name, 'live', nowMs);
  }
}
