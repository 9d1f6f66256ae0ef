// Puts containers and first blobs into a storage account of the lab.

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';

export interface SeedStorageOptions {
  readonly url: string;
  readonly account: string;
  readonly key: string;
  /** Containers to make where missing: the carried ones and the probe container. */
  readonly containers: readonly string[];
  /** Blobs to put where missing. */
  readonly blobs?: readonly {
    readonly container: string;
    readonly name: string;
    readonly content: string;
    readonly contentType?: string;
  }[];
}

/** Doing it twice changes nothing. */
export async function seedStorage(options: SeedStorageOptions): Promise<void> {
  const service = new BlobServiceClient(options.url, new StorageSharedKeyCredential(options.account, options.key));
  for (const name of options.containers) await service.getContainerClient(name).createIfNotExists();
  for (const blob of options.blobs ?? []) {
    const client = service.getContainerClient(blob.container).getBlockBlobClient(blob.name);
    if (await client.exists()) continue;
    await client.upload(blob.content, Buffer.byteLength(blob.content), {
      blobHTTPHeaders: { blobContentType: blob.contentType ?? 'text/plain; charset=utf-8' },
    });
  }
}
