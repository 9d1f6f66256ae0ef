// A front door like Azure's: the address clients call, one origin group with an origin per site, and its Resource Manager
// endpoint on a second port. The call path keeps counts; the ledger keeps Resource Manager calls, moves and failures.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { systemClock, type Site } from '#base';
import { startVendor, type RunningVendor } from '../kit/mod.ts';
import { OriginTables, type Operation, type Origin } from './origins.ts';
import { newCounts, originAgent, proxy, type ProxyCounts } from './proxy.ts';
import { answerResourceManager } from './resource-manager.ts';

const defaultOriginGroup =
  '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/understudy-lab/providers/Microsoft.Cdn/profiles/lab/originGroups/gateways';

const origin = z.strictObject({
  name: z.string().optional(),
  url: z.url(),
  enabled: z.boolean(),
});

export const frontDoorOptions = z.strictObject({
  name: z.string().default('front-door'),
  host: z.string().default('127.0.0.1'),
  /** Where clients call. */
  publicPort: z.int().min(0).max(65_535),
  /** Resource Manager, and the lab's own `/_lab/…`. */
  armPort: z.int().min(0).max(65_535),
  dataFile: z.string(),
  /** Plain URLs: home is enabled, the partner's origin is disabled until the traffic step. */
  origins: z.strictObject({
    home: z.union([z.url(), origin]),
    partner: z.union([z.url(), origin]),
  }),
  /** Bearer token of Resource Manager. */
  token: z.string().min(1),
  originGroup: z.string().includes('/profiles/').default(defaultOriginGroup),
  /** How long a change takes; minutes at the vendor. */
  operationMs: z.int().min(0).default(150),
  originTimeoutMs: z.int().min(1).default(60_000),
});
export type FrontDoorOptions = z.input<typeof frontDoorOptions>;
type Options = z.output<typeof frontDoorOptions>;

export interface RunningFrontDoor extends RunningVendor {
  /** Where clients call; `url` is where Resource Manager answers. */
  readonly publicUrl: string;
  readonly originGroup: string;
  counts(): ProxyCounts;
}

/** Beyond this many rows failures are only counted: an outage under load must not fill the disk. */
const failureRowsMax = 20_000;

export async function startFrontDoor(input: FrontDoorOptions): Promise<RunningFrontDoor> {
  const options = frontDoorOptions.parse(input);
  const counts = newCounts();
  let table: OriginTable | undefined;
  const vendor = await startVendor({
    name: options.name,
    host: options.host,
    port: options.armPort,
    dataFile: options.dataFile,
    labRoutes: { '/_lab/counts': () => counts },
    handler: ({ ledger }) => {
      table = originTable(new OriginTables(ledger.database, originsOf(options)), {
        effect: (operation) =>
          ledger.effect({
            askedId: operation.askedId,
            atMs: systemClock.wallMs(),
            type: 'origin-state',
            key: operation.origin,
            epoch: operation.epoch,
            detail: { enabledState: operation.state },
          }),
      });
      const { tables } = table;
      const accepted = (operation: Operation): void => table?.accepted(operation);
      return (request, response, call) =>
        answerResourceManager(request, response, call, { ...options, tables, accepted });
    },
  });
  const door = await openDoor(options, counts, {
    choose: () => table?.choose(),
    failed: failureRecorder(vendor),
  });
  return {
    ...vendor,
    publicUrl: `http://127.0.0.1:${door.port}`,
    originGroup: options.originGroup,
    counts: () => structuredClone(counts),
    async close() {
      await door.close();
      table?.stop();
      await vendor.close();
    },
  };
}

function originsOf(options: Options): Origin[] {
  return (['home', 'partner'] as const).map((site) => {
    const given = options.origins[site];
    const { name = site, url, enabled } = typeof given === 'string' ? { url: given, enabled: site === 'home' } : given;
    return { name, site, url, enabledState: enabled ? 'Enabled' : 'Disabled' };
  });
}

interface OriginTable {
  readonly tables: OriginTables;
  choose(): { site: Site; url: URL } | undefined;
  accepted(operation: Operation): void;
  stop(): void;
}

/** Keeps the enabled origins at hand, so that the call path never reads SQLite, and makes accepted changes in time. */
function originTable(tables: OriginTables, ledger: { effect(operation: Operation): void }): OriginTable {
  let enabled: { site: Site; url: URL }[] = [];
  let turn = 0;
  const cancels = new Set<() => void>();
  const refresh = (): void => {
    enabled = tables
      .origins()
      .filter((candidate) => candidate.enabledState === 'Enabled')
      .map(({ site, url }) => ({ site, url: new URL(url) }));
  };
  const accepted = (operation: Operation): void => {
    const waitMs = Math.max(0, operation.dueAtMs - systemClock.wallMs());
    const cancel = systemClock.after(waitMs, () => {
      cancels.delete(cancel);
      if (!tables.finish(operation)) return;
      ledger.effect(operation);
      refresh();
    });
    cancels.add(cancel);
  };
  for (const operation of tables.pending()) accepted(operation);
  refresh();
  return {
    tables,
    accepted,
    choose: () => enabled[turn++ % enabled.length], // Equal priority and weight: in turn.
    stop: () => {
      for (const cancel of cancels) cancel();
    },
  };
}

function failureRecorder(
  vendor: RunningVendor,
): (what: 'unavailable' | 'cut', site: Site | undefined, reason: string) => void {
  let rows = 0;
  return (what, site, reason) => {
    if (rows++ >= failureRowsMax) return;
    const type = what === 'cut' ? 'answer-cut' : 'answer-unavailable';
    vendor.ledger.effect({
      askedId: null,
      atMs: systemClock.wallMs(),
      type,
      key: site ?? 'none',
      epoch: null,
      detail: { reason },
    });
  };
}

async function openDoor(
  options: Options,
  counts: ProxyCounts,
  parts: Pick<Parameters<typeof proxy>[2], 'choose' | 'failed'>,
): Promise<{ port: number; close(): Promise<void> }> {
  const agent = originAgent();
  const { originTimeoutMs } = options;
  const server = createServer((request, response) => {
    proxy(request, response, { ...parts, counts, agent, originTimeoutMs });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.publicPort, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
