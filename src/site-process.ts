// One site's own process: the gateway with the relay beside it, the shipper, and the site's half of the control plane.

import { resolve } from 'node:path';
import { digestOf, sha256, sites, type Clock, type Randomness, type Site } from '#base';
import { connect, createSiteAgent, tokenSigner, tokenVerifier, type Connectors } from '#control';
import { createGateway, recoverInterrupted, type Gateway, type LogLine } from '#gateway';
import { nodeFileLayer, openJournal } from '#journal';
import type { SiteState } from '#run';
import { dependencyOf, milliseconds, type SecretReader, type Stamp } from '#stamp';
import { createTelemetry, type Telemetry, type TelemetryDestination } from '#telemetry';

export interface SiteProcessOptions {
  readonly site: Site;
  readonly stamp: Stamp;
  readonly directory: string;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly randomness: Randomness;
  log(line: LogLine): void;
}

export interface RunningSite {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

const drainMs = 2_000;

export async function startSite(options: SiteProcessOptions): Promise<RunningSite> {
  const { site, stamp, directory, secrets, clock, randomness } = options;
  const declared = stamp.sites[site];
  const connectors = connect({ stamp, directory, secrets, clock, randomness });
  const journalDirectory = resolve(directory, declared.journal.directory);
  const journal = await openJournal({
    directory: journalDirectory,
    files: nodeFileLayer(),
    clock,
    bytesMax: declared.journal.bytesMax,
    segmentBytesMax: declared.journal.segmentBytesMax,
  });
  const recovery = await recoverInterrupted(journal);
  if (recovery.interrupted > 0) {
    const message = `${recovery.interrupted} exchanges were cut by a crash and are recorded as interrupted`;
    options.log({ level: 'warn', code: 'exchanges-interrupted', message });
  }
  const telemetry = createTelemetry({
    ...options,
    stamp: stamp.name,
    journal,
    destinations: sites.map((destination) => asDestination(destination, connectors)),
    directory: resolve(journalDirectory, 'shipping'),
    publicKeys: await relayKeys(options),
    log: (line) => options.log(line),
  });
  const identityPem = await secrets.read(declared.identity.privateKey);
  let gateway: Gateway | undefined;
  const agent = createSiteAgent({
    site,
    clock,
    leaseTtlMs: milliseconds(stamp.control.lease.ttl),
    controlUrl: stamp.control.url,
    signer: tokenSigner({ kind: 'site', id: site }, { privateKeyPem: identityPem, clock }),
    verifier: tokenVerifier({ stamp, secrets, audience: `site:${site}`, clock }),
    schedules: connectors.databricks,
    observe: () => observed(gateway, telemetry),
    probe: (what, signal) => probeFromHere(what, { site, connectors, signal }),
    flush: (signal) => telemetry.flush(signal),
    log: (line) => options.log(line),
  });
  gateway = createGateway({
    stamp,
    site,
    journal,
    secrets,
    authority: agent.view,
    clock,
    randomness,
    log: (line) => options.log(line),
    mounts: [
      { prefix: '/api/public/', handle: (request, response) => telemetry.handleRelay(request, response) },
      { prefix: '/understudy/', handle: (request, response) => agent.handle(request, response) },
    ],
  });
  const { url, port } = await gateway.listen();
  telemetry.start();
  agent.start();
  return {
    url,
    port,
    async stop() {
      await gateway.close(drainMs);
      await agent.stop();
      await telemetry.stop();
      await journal.close();
    },
  };
}

function asDestination(id: Site, connectors: Connectors): TelemetryDestination {
  return {
    id,
    export: (otlpJson, signal) => connectors.langfuse.export(id, otlpJson, { signal }),
    observations: (query, signal) => connectors.langfuse.observations(id, query, { signal }),
  };
}

/** The relay takes the keys of both Langfuses: a client need not know which region it speaks to. */
async function relayKeys(options: SiteProcessOptions): Promise<ReadonlyMap<string, string>> {
  const langfuse = dependencyOf(options.stamp, 'langfuse');
  const keys = new Map<string, string>();
  for (const site of sites)
    keys.set(langfuse[site].publicKey, sha256(await options.secrets.read(langfuse[site].secretKey)));
  return keys;
}

async function probeFromHere(
  what: 'egress' | 'identity',
  from: { site: Site; connectors: Connectors; signal: AbortSignal },
) {
  const context = { signal: from.signal };
  if (what === 'egress') return from.connectors.model.probe(from.site, context);
  return [await from.connectors.identity.fetchToken(from.site, context)];
}

function observed(
  gateway: Gateway | undefined,
  telemetry: Telemetry,
): Pick<SiteState, 'telemetry' | 'breakers' | 'routes'> {
  const state = gateway?.state();
  const shipped = telemetry.state().destinations.map((destination) => [
    destination.id,
    {
      provenThroughMs: destination.provenThroughMs,
      provenLagSeconds: destination.provenLagSeconds,
      waitingRecords: destination.recordsWaiting,
      mode: destination.mode,
    },
  ]);
  return {
    telemetry: Object.fromEntries(shipped) as SiteState['telemetry'],
    breakers: Object.fromEntries(
      (state?.lanes.production.upstreams ?? []).map((upstream) => [upstream.id, upstream.breaker.state]),
    ),
    routes: digestOf(state?.routes ?? []),
  };
}
