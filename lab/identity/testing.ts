// An identity endpoint with one application, for tests of the vendors that need tokens.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DependencyOf, SecretReader } from '#stamp';
import { startIdentity, type RunningIdentity } from './server.ts';

export const tenantId = '11111111-1111-4111-8111-111111111111';
export const clientId = 'stamp-app';
export const clientSecret = 'correct-client-secret';

export interface IdentityFixture {
  readonly directory: string;
  readonly identity: RunningIdentity;
  /** A stamp's identity dependency that points at the endpoint, the same at both sites. */
  dependency(change?: Partial<DependencyOf<'identity'>['home']>): DependencyOf<'identity'>;
  close(): Promise<void>;
}

export async function identityFixture(): Promise<IdentityFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-identity-'));
  const identity = await startIdentity({
    port: 0,
    dataFile: ':memory:',
    directory,
    tenants: [{ id: tenantId, clients: [{ id: clientId, secret: clientSecret }] }],
  });
  return {
    directory,
    identity,
    dependency(change = {}) {
      const place = {
        authority: identity.url,
        tenantId,
        clientId,
        clientSecret: 'env:CLIENT_SECRET',
        scope: 'https://vault.azure.net/.default',
        caFile: 'ca.pem',
        ...change,
      };
      return { id: 'identity', kind: 'identity', after: [], deletions: 'report', home: place, partner: place };
    },
    async close() {
      await identity.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Answers references from a table; `env:NAME` is the key. */
export function secretsFrom(table: Readonly<Record<string, string>>): SecretReader {
  return {
    async read(reference) {
      const value = table[reference];
      if (value === undefined) throw new Error(`no ${reference} in this test`);
      return value;
    },
  };
}
