// Two Azurite accounts, the partner's behind a small proxy that can lose an answer, and the connector between them.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { systemClock, type Site } from '#base';
import { createStorage, type StorageConnector } from '#connectors';
import { secretsFrom } from '../identity/testing.ts';
import { startAzurite, type RunningAzurite } from './azurite.ts';

const account = 'labaccount';
const key = Buffer.alloc(64, 7).toString('base64');

export interface StorageFixture {
  readonly connector: StorageConnector;
  readonly azurite: Record<Site, RunningAzurite>;
  service(site: Site): BlobServiceClient;
  /** Cuts the connection after the partner has done the next call of this method. */
  loseAnswerOf(method: string): void;
  /** `METHOD path` of every call to the partner. */
  readonly asked: string[];
  restart(site: Site): Promise<void>;
  close(): Promise<void>;
}

export async function storageFixture(): Promise<StorageFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-storage-'));
  const start = (site: Site, port = 0): Promise<RunningAzurite> =>
    startAzurite({ port, directory: join(directory, site), account, key });
  const [home, partner] = await Promise.all([start('home'), start('partner')]);
  const azurite = { home, partner };
  const asked: string[] = [];
  let losing: string | undefined;
  const proxy = createServer((request, response) => {
    const { method = '', url = '' } = request;
    asked.push(`${method} ${url.split('?')[0]}`);
    const options = { port: azurite.partner.port, host: '127.0.0.1', method, path: url, headers: request.headers };
    const forward = ask(options, (answer) => {
      if (losing === method) {
        losing = undefined;
        answer.resume();
        request.socket.resetAndDestroy();
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forward.on('error', () => request.socket.destroy());
    request.pipe(forward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const urls = {
    home: home.url,
    partner: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/${account}`,
  };
  const place = (site: Site) => ({ url: urls[site], account, accountKey: 'env:ACCOUNT_KEY' });
  return {
    azurite,
    asked,
    connector: createStorage({
      dependency: {
        id: 'blobs',
        kind: 'storage',
        after: [],
        deletions: 'report',
        home: place('home'),
        partner: place('partner'),
        containers: ['features', 'absent'],
        probeContainer: 'understudy-probe',
        blobBytesMax: 1_000,
      },
      secrets: secretsFrom({ 'env:ACCOUNT_KEY': key }),
      clock: systemClock,
    }),
    service: (site) => new BlobServiceClient(azurite[site].url, new StorageSharedKeyCredential(account, key)),
    loseAnswerOf(method) {
      losing = method;
    },
    async restart(site) {
      await azurite[site].close();
      azurite[site] = await start(site, azurite[site].port);
    },
    async close() {
      proxy.closeAllConnections();
      await Promise.all([azurite.home.close(), azurite.partner.close(), new Promise((done) => proxy.close(done))]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
