// The identity of the workload at each site: gives tokens to the other Azure connectors, and proves that a token can
// really be fetched.

import { sites, type Clock, type Finding, type Site } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import type { TokenCredential } from '@azure/core-auth';
import { withDeadline } from '../azure/mod.ts';
import type { ProbedConnector, ReadContext } from '../port.ts';
import { openCredential, tokenDeadlineMs } from './client.ts';
import { fetchToken } from './probe.ts';
import { identityFailure } from './failures.ts';

export interface IdentityOptions {
  readonly dependency: DependencyOf<'identity'>;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  /** Folder that `caFile` is relative to: the stamp's own. */
  readonly directory: string;
}

export interface IdentityConnector extends ProbedConnector {
  /** Gives cached tokens while they last. Rejects with `IDENTITY_…` codes. */
  credential(site: Site): TokenCredential;
  /** Fetches a new token, past every cache. Never rejects but when the signal aborts. */
  fetchToken(site: Site, context: ReadContext): Promise<Finding>;
}

export function createIdentity(options: IdentityOptions): IdentityConnector {
  const credentials = new Map<Site, TokenCredential>(sites.map((site) => [site, lazyCredential(site, options)]));
  const fetch = (site: Site, context: ReadContext): Promise<Finding> => fetchToken(site, context, options);
  return {
    dependency: options.dependency.id,
    credential(site) {
      const credential = credentials.get(site);
      if (!credential) throw identityFailure(`identity of ${site}`, undefined);
      return credential;
    },
    fetchToken: fetch,
    probe: async (site, context) => [await fetch(site, context)],
  };
}

/** Reads the client secret when the first token is needed, and again after a failure: it may have been renewed. */
function lazyCredential(site: Site, options: IdentityOptions): TokenCredential {
  const place = options.dependency[site];
  let opened: Promise<TokenCredential> | undefined;
  return {
    async getToken(scopes, given) {
      const signal = (given?.abortSignal as AbortSignal | undefined) ?? new AbortController().signal;
      try {
        return await withDeadline({ clock: options.clock, signal, deadlineMs: tokenDeadlineMs }, async (own) => {
          opened ??= openCredential(place, { ...options, signal: own });
          return (await opened).getToken(scopes, { ...given, abortSignal: own });
        });
      } catch (error) {
        opened = undefined;
        signal.throwIfAborted();
        throw identityFailure(`token for ${site}`, error);
      }
    },
  };
}
