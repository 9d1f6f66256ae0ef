// The real world behind the ports of a run.

import { resolve } from 'node:path';
import { request } from 'undici';
import { Failure, isRecord, tryParseJson, type Clock, type Randomness } from '#base';
import { fallbackRehearsal, loadBaseline, runCanary, saveBaseline, type CanaryResult } from '#canary';
import type { Site } from '#base';
import type { ReadContext } from '#connectors';
import type { LeaseGrantor, Ledger } from '#ledger';
import type { Replicator } from '#replication';
import type { Heartbeat, World } from '#run';
import { dependencyOf, routeOf, type SecretReader, type Stamp } from '#stamp';
import { agentClient } from './agent-client.ts';
import type { Connectors } from './connect.ts';
import type { TokenSigner } from './tokens.ts';

export interface WorldSources {
  readonly stamp: Stamp;
  readonly directory: string;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly ledger: Ledger;
  readonly grantor: LeaseGrantor;
  readonly connectors: Connectors;
  readonly replicator: Replicator;
  readonly signer: TokenSigner;
  log(line: { readonly code: string; readonly message: string }): void;
}

export function heartbeatKey(site: Site): string {
  return `heartbeat/${site}`;
}

export function createWorld(sources: WorldSources): World {
  const { stamp, connectors, ledger } = sources;
  return {
    stamp,
    clock: sources.clock,
    randomness: sources.randomness,
    ledger,
    authority: sources.grantor,
    agents: {
      home: agentClient('home', sources),
      partner: agentClient('partner', sources),
    },
    async heartbeat(site) {
      const cell = await ledger.get(heartbeatKey(site));
      return cell ? (cell.value as unknown as Heartbeat) : undefined;
    },
    replicator: sources.replicator,
    schedules: connectors.databricks,
    traces: connectors.langfuse,
    traffic: connectors.traffic,
    storageProbe: (site, context) => connectors.storage.writeReadProbe(site, context),
    canary: (site, context) => canaryAt(site, { ...sources, context, mode: 'compare' }),
    fallback: async (site, context) => {
      const traceIds: string[] = [];
      const findings = await fallbackRehearsal({
        gatewayUrl: stamp.sites[site].gateway.url,
        clientKey: await sources.secrets.read(stamp.canary.clientKey),
        route: routeOf(stamp, stamp.canary.route),
        clock: sources.clock,
        signal: context.signal,
        onTrace: (traceId) => traceIds.push(traceId),
      });
      return { findings, traceIds };
    },
    askFromOutside: (context) => askFromOutside(sources, context),
    log: (line) => sources.log(line),
  };
}

type CanarySources = Pick<WorldSources, 'stamp' | 'directory' | 'secrets' | 'clock' | 'connectors'>;

/** Runs the canary against one site's gateway; the traces are looked for in that site's Langfuse. */
export async function canaryAt(
  site: Site,
  options: CanarySources & { context: ReadContext; mode: 'compare' | 'record' },
): Promise<CanaryResult> {
  const { stamp, context, connectors } = options;
  const file = resolve(options.directory, stamp.canary.baseline);
  return runCanary({
    stamp,
    gatewayUrl: stamp.sites[site].gateway.url,
    clientKey: await options.secrets.read(stamp.canary.clientKey),
    mode: options.mode,
    ...(options.mode === 'compare' ? { baseline: await loadBaseline(file) } : {}),
    clock: options.clock,
    signal: context.signal,
    findTrace: async (traceId) => (await connectors.langfuse.observationsOfTrace(site, traceId, context)).length > 0,
  });
}

/** Records the canary's baseline at a site, only when every prompt was answered and its trace found. */
export async function recordCanary(
  site: Site,
  options: CanarySources & { context: ReadContext },
): Promise<CanaryResult> {
  const result = await canaryAt(site, { ...options, mode: 'record' });
  if (!result.recorded) {
    throw new Failure('CANARY_NOT_RECORDED', 'the baseline was not recorded: not every prompt passed', {
      hint: result.findings.map((finding) => `${finding.subject}: ${finding.detail}`).join('; '),
    });
  }
  await saveBaseline(resolve(options.directory, options.stamp.canary.baseline), result.recorded);
  return result;
}

async function askFromOutside(
  sources: WorldSources,
  context: ReadContext,
): Promise<{ site: string; mode: string; trace: string }> {
  const { stamp } = sources;
  const route = routeOf(stamp, stamp.canary.route);
  const response = await request(`${dependencyOf(stamp, 'traffic').publicUrl}/v1/chat/completions`, {
    method: 'POST',
    signal: context.signal,
    headers: {
      authorization: `Bearer ${await sources.secrets.read(stamp.canary.clientKey)}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      model: route.models[0],
      messages: [{ role: 'user', content: 'Reply with the word ready.' }],
    }),
  });
  const parsed = tryParseJson(await response.body.text());
  const answered = parsed.ok && isRecord(parsed.value) && Array.isArray(parsed.value['choices']);
  if (response.statusCode !== 200 || !answered) {
    throw new Failure('NOT_ANSWERED', `the public address answered with status ${response.statusCode}`, {
      next: 'retry',
    });
  }
  const header = (name: string): string => String(response.headers[name] ?? '');
  return {
    site: header('x-understudy-site'),
    mode: header('x-understudy-mode') || 'normal',
    trace: header('x-understudy-trace'),
  };
}
