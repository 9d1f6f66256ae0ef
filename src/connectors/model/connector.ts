// Model endpoints: reached from the site this code runs in, with that site's own network and credentials. A site's view
// can only be had there; the controller asks each site's process for its own.

import { codeOf, Failure, type Clock } from '#base';
import type { DependencyOf, SecretReader, Upstream } from '#stamp';
import type { ProbedConnector, ReadContext } from '../port.ts';
import { lookAt } from './client.ts';
import { judge, type ReachFinding } from './probe.ts';

export interface ModelOptions {
  readonly dependency: DependencyOf<'model'>;
  /** All upstreams of the gateway; the dependency names those that matter. */
  readonly upstreams: readonly Upstream[];
  readonly secrets: SecretReader;
  readonly clock: Clock;
}

export interface ModelConnector extends ProbedConnector {
  /** Looks at one upstream; `latencyMs` covers DNS, connect, TLS and the answer. Rejects with `UPSTREAM_UNKNOWN`. */
  reach(upstreamId: string, context: ReadContext): Promise<ReachFinding>;
}

export function createModel(options: ModelOptions): ModelConnector {
  const { dependency, secrets, clock } = options;

  async function reach(upstreamId: string, context: ReadContext): Promise<ReachFinding> {
    const upstream = options.upstreams.find((candidate) => candidate.id === upstreamId);
    if (!upstream) {
      throw new Failure('UPSTREAM_UNKNOWN', `no upstream ${upstreamId} is declared`, {
        hint: `declared are ${options.upstreams.map((candidate) => candidate.id).join(', ')}`,
      });
    }
    let credential: string;
    try {
      credential = await secrets.read(upstream.credential, context.signal);
    } catch (error) {
      return {
        verdict: 'fail',
        subject: `upstream ${upstream.id}`,
        detail: `its credential ${upstream.credential} cannot be read here (${codeOf(error)})`,
        mend: 'put the secret where this site reads it',
      };
    }
    return judge(upstream, await lookAt(upstream, { credential, clock, signal: context.signal }));
  }

  return {
    dependency: dependency.id,
    reach,
    // The site is the one this runs in: nothing here can look from elsewhere.
    probe: (_site, context) => Promise.all(dependency.upstreams.map((id) => reach(id, context))),
  };
}
