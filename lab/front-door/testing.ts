// A front door before two origins that a test writes itself, and the connector that moves its traffic.

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock, type Site } from '#base';
import { createTraffic, type TrafficConnector } from '#connectors';
import { secretsFrom } from '../identity/testing.ts';
import { startFrontDoor, type FrontDoorOptions, type RunningFrontDoor } from './server.ts';

export const armToken = 'resource-manager-token';

export interface DoorFixture {
  readonly door: RunningFrontDoor;
  readonly origins: Record<Site, { url: string; server: Server }>;
  connector(token?: string): TrafficConnector;
  close(): Promise<void>;
}

export async function doorFixture(
  listeners: Partial<Record<Site, RequestListener>> = {},
  change: Partial<FrontDoorOptions> = {},
): Promise<DoorFixture> {
  const origins = {
    home: await listen(listeners.home ?? saying('home')),
    partner: await listen(listeners.partner ?? saying('partner')),
  };
  const door = await startFrontDoor({
    publicPort: 0,
    armPort: 0,
    dataFile: ':memory:',
    token: armToken,
    operationMs: 20,
    origins: { home: origins.home.url, partner: origins.partner.url },
    ...change,
  });
  return {
    door,
    origins,
    connector: (token = armToken) =>
      createTraffic({
        dependency: {
          id: 'traffic',
          kind: 'traffic',
          after: [],
          deletions: 'report',
          publicUrl: door.publicUrl,
          resourceManager: door.url,
          originGroup: door.originGroup,
          token: 'env:ARM_TOKEN',
          home: { origin: 'home' },
          partner: { origin: 'partner' },
        },
        secrets: secretsFrom({ 'env:ARM_TOKEN': token }),
        clock: systemClock,
      }),
    async close() {
      await door.close();
      await Promise.all([stop(origins.home.server), stop(origins.partner.server)]);
    },
  };
}

/** A gateway's `/livez`, as far as the front door can tell. */
export function saying(site: Site): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-understudy-site': site });
    response.end(JSON.stringify({ site }));
  };
}

async function listen(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

export async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
