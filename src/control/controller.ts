// The controller: the process that owns the ledger, grants the lease, carries out runs, keeps the standby up to date and
// follows standing orders. It can be killed at any moment; the next start takes everything up again from the ledger.

import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, describeError, otherSite, sites, type Clock, type Randomness } from '#base';
import { LeaseGrantor, openSqliteLedger } from '#ledger';
import { createReplicator } from '#replication';
import { milliseconds, type SecretReader, type Stamp } from '#stamp';
import { connect, deletionsOf, replicatedOf } from './connect.ts';
import { Operations } from './operations.ts';
import { controlServer } from './server.ts';
import { followOrders } from './standing-orders.ts';
import { tokenSigner, tokenVerifier } from './tokens.ts';
import { createWorld, recordCanary } from './world.ts';

export interface ControllerOptions {
  readonly stamp: Stamp;
  readonly stampDigest: string;
  /** The stamp's folder. */
  readonly directory: string;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly randomness: Randomness;
  log(line: { readonly code: string; readonly message: string }): void;
}

export interface RunningController {
  readonly url: string;
  stop(): Promise<void>;
}

const ordersEveryMs = 500;

export async function startController(options: ControllerOptions): Promise<RunningController> {
  const { stamp, directory, secrets, clock, randomness } = options;
  const file = resolve(directory, stamp.control.ledger.file);
  await mkdir(dirname(file), { recursive: true });
  const ledger = await openSqliteLedger({ file, clock });
  const grantor = new LeaseGrantor({ ledger, clock, ttlMs: milliseconds(stamp.control.lease.ttl) });
  await grantor.open();
  const connectors = connect({ stamp, directory, secrets, clock, randomness });
  const replicator = createReplicator({
    connectors: replicatedOf(connectors),
    deletions: deletionsOf(stamp),
    clock,
    ledger,
  });
  const privateKeyPem = await secrets.read(stamp.control.identity.privateKey);
  const signer = tokenSigner({ kind: 'control', id: 'control' }, { privateKeyPem, clock });
  const world = createWorld({ ...options, ledger, grantor, connectors, replicator, signer });
  const stopping = new AbortController();
  const operations = new Operations({ ...options, world, grantor, signal: stopping.signal });
  const server = controlServer({
    operations,
    world,
    grantor,
    verifier: tokenVerifier({ stamp, secrets, audience: 'control', clock }),
    recordCanary: (signal) => recordCanary(activeSite(grantor), { ...options, connectors, context: { signal } }),
  });
  const url = await server.listen({ host: stamp.control.listen.host, port: stamp.control.listen.port });
  await operations.takeUp();
  const loops = [
    repeat(
      options,
      { everyMs: milliseconds(stamp.control.syncEvery), signal: stopping.signal, what: 'sync' },
      async () => {
        const { roles } = grantor.authority();
        const active = sites.find((site) => roles[site] === 'active');
        if (active && roles[otherSite(active)] === 'standby') await operations.sync('controller');
      },
    ),
    repeat(options, { everyMs: ordersEveryMs, signal: stopping.signal, what: 'standing orders' }, async () => {
      await followOrders(world, { ...options, signal: stopping.signal, logOf: (run) => operations.log(run) });
    }),
  ];
  return {
    url,
    async stop() {
      stopping.abort(new Error('the controller is stopping'));
      await server.close();
      await operations.idle();
      await Promise.allSettled(loops);
      await ledger.close();
    },
  };
}

function activeSite(grantor: LeaseGrantor): 'home' | 'partner' {
  const { roles } = grantor.authority();
  return roles.partner === 'active' ? 'partner' : 'home';
}

async function repeat(
  options: ControllerOptions,
  loop: { everyMs: number; signal: AbortSignal; what: string },
  action: () => Promise<void>,
): Promise<void> {
  for (;;) {
    await options.clock.sleep(loop.everyMs, loop.signal).catch(() => undefined);
    if (loop.signal.aborted) return;
    try {
      await action();
    } catch (error) {
      if (loop.signal.aborted) return;
      options.log({ code: codeOf(error), message: `${loop.what}: ${describeError(error)}` });
    }
  }
}
