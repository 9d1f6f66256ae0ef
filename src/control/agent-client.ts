// The controller's side of a site agent.

import type { Finding, Site } from '#base';
import type { SiteAgent, SiteState } from '#run';
import type { Stamp } from '#stamp';
import { callOwn } from './http.ts';
import type { TokenSigner } from './tokens.ts';

export function agentClient(site: Site, options: { stamp: Stamp; signer: TokenSigner }): SiteAgent {
  const base = options.stamp.sites[site].gateway.url;
  const call = async (method: 'GET' | 'POST', path: string, signal: AbortSignal, body?: unknown): Promise<unknown> =>
    callOwn({
      method,
      url: `${base}/understudy/${path}`,
      authorization: await options.signer.authorization(`site:${site}`),
      signal,
      ...(body === undefined ? {} : { body }),
    });
  return {
    state: async ({ signal }) => (await call('GET', 'state', signal)) as SiteState,
    probe: async (what, { signal }) => (await call('POST', 'probe', signal, { what })) as Finding[],
    tell: async (authority, { signal }) =>
      (await call('POST', 'authority', signal, authority)) as Awaited<ReturnType<SiteAgent['tell']>>,
    async flush({ signal }) {
      await call('POST', 'flush', signal, {});
    },
  };
}
