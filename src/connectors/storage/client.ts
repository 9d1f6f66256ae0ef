// One storage account through the official client. Reads are repeated by the SDK, writes never: a repeated conditional
// write would be refused by what the first one wrote.

import type { Clock, Site } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import type { BlobServiceClient } from '@azure/storage-blob';
import { withDeadline, type Acting } from '../azure/mod.ts';
import type { ActContext, ReadContext } from '../port.ts';

export interface StorageParts {
  readonly dependency: DependencyOf<'storage'>;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly acting: Acting;
  readonly writeDeadlineMs: number;
}

export interface Account {
  /** One reading call under a deadline; throws what the SDK threw. */
  read<T>(context: ReadContext, call: (service: BlobServiceClient, signal: AbortSignal) => Promise<T>): Promise<T>;
  /** One writing call: the right to act is asked for when the request leaves. */
  write<T>(context: ActContext, call: (service: BlobServiceClient, signal: AbortSignal) => Promise<T>): Promise<T>;
  /** A write that is no act: the probe's own blob. */
  probeWrite<T>(
    context: ReadContext,
    call: (service: BlobServiceClient, signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
}

/** Long enough for a blob of the default `blobBytesMax` (16 MiB) between regions. */
const readDeadlineMs = 30_000;
const probeDeadlineMs = 10_000;

interface Services {
  readonly reading: BlobServiceClient;
  readonly writing: BlobServiceClient;
}

export function openAccount(site: Site, parts: StorageParts): Account {
  let opened: Promise<Services> | undefined;
  const services = async (signal: AbortSignal): Promise<Services> => {
    opened ??= openServices(site, parts, signal);
    try {
      return await opened;
    } catch (error) {
      opened = undefined; // The key could not be read; next time it may.
      throw error;
    }
  };
  const limits = (context: ReadContext, deadlineMs: number) => ({
    clock: parts.clock,
    signal: context.signal,
    deadlineMs,
  });
  return {
    read: (context, call) =>
      withDeadline(limits(context, readDeadlineMs), async (signal) => call((await services(signal)).reading, signal)),
    write: (context, call) =>
      parts.acting.run(context, parts.writeDeadlineMs, () =>
        withDeadline(limits(context, parts.writeDeadlineMs), async (signal) =>
          call((await services(signal)).writing, signal),
        ),
      ),
    probeWrite: (context, call) =>
      withDeadline(limits(context, probeDeadlineMs), async (signal) => call((await services(signal)).writing, signal)),
  };
}

async function openServices(site: Site, parts: StorageParts, signal: AbortSignal): Promise<Services> {
  const { BlobServiceClient, newPipeline, StorageSharedKeyCredential } = await import('@azure/storage-blob');
  const { url, account, accountKey } = parts.dependency[site];
  const credential = new StorageSharedKeyCredential(account, await parts.secrets.read(accountKey, signal));
  const pipeline = newPipeline(credential, { retryOptions: { maxTries: 1 } });
  pipeline.factories.push({
    create: (next) => ({
      sendRequest(request) {
        parts.acting.beforeSend((name, value) => request.headers.set(name, value));
        return next.sendRequest(request);
      },
    }),
  });
  const retries = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000, tryTimeoutInMs: readDeadlineMs };
  return {
    reading: new BlobServiceClient(url, newPipeline(credential, { retryOptions: retries })),
    writing: new BlobServiceClient(url, pipeline),
  };
}
