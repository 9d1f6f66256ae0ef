// Reads from an account: blobs of a container, facts and content of one blob. Every listing and every body is bounded.

import { Failure } from '#base';
import { azureFailure, statusOf } from '../azure/mod.ts';
import type { ReadContext } from '../port.ts';
import type { Account } from './client.ts';
import { factsOf, md5Of, type BlobFacts } from './neutral.ts';

/** Above this, object replication is the tool; a listing must end. */
export const blobsMax = 100_000;

/** Undefined when the container does not exist. */
export async function readContainer(
  account: Account,
  name: string,
  context: ReadContext,
): Promise<{ metadata: Record<string, string> | undefined; etag: string | undefined } | undefined> {
  return absent(context, `container ${name}`, () =>
    account.read(context, async (service, abortSignal) => {
      const { metadata, etag } = await service.getContainerClient(name).getProperties({ abortSignal });
      return { metadata, etag };
    }),
  );
}

export async function listBlobs(account: Account, container: string, context: ReadContext): Promise<BlobFacts[]> {
  const found: BlobFacts[] = [];
  let continuation: string | undefined;
  try {
    do {
      const page = await account.read(context, (service, abortSignal) =>
        service
          .getContainerClient(container)
          .listBlobsFlat({ includeMetadata: true, abortSignal })
          .byPage({ maxPageSize: 1_000, ...(continuation === undefined ? {} : { continuationToken: continuation }) })
          .next(),
      );
      if (page.done === true) return found;
      for (const item of page.value.segment.blobItems) found.push(factsOf(item.name, item.properties, item.metadata));
      continuation = page.value.continuationToken || undefined;
    } while (continuation !== undefined && found.length <= blobsMax);
  } catch (error) {
    context.signal.throwIfAborted();
    throw azureFailure('STORAGE', `blobs of container ${container}`, error);
  }
  if (found.length <= blobsMax) return found;
  throw new Failure('STORAGE_TOO_MANY', `container ${container} holds more than ${blobsMax} blobs`, {
    hint: 'replicate it with object replication and take it out of the stamp',
  });
}

/** Undefined when the blob does not exist. */
export async function readFacts(
  account: Account,
  blob: { container: string; name: string },
  context: ReadContext,
): Promise<BlobFacts | undefined> {
  return absent(context, `blob ${blob.container}/${blob.name}`, () =>
    account.read(context, async (service, abortSignal) => {
      const client = service.getContainerClient(blob.container).getBlobClient(blob.name);
      const properties = await client.getProperties({ abortSignal });
      return factsOf(blob.name, properties, properties.metadata);
    }),
  );
}

/** The whole content of the version that `etag` names; `STORAGE_CONTENT_MISMATCH` when it is not what the facts say. */
export async function readContent(
  account: Account,
  blob: { container: string; facts: BlobFacts },
  context: ReadContext,
): Promise<Buffer> {
  const { container, facts } = blob;
  const what = `blob ${container}/${facts.name}`;
  let content: Buffer;
  try {
    content = await account.read(context, async (service, abortSignal) => {
      const client = service.getContainerClient(container).getBlobClient(facts.name);
      const answer = await client.download(0, undefined, { abortSignal, conditions: { ifMatch: facts.etag } });
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of answer.readableStreamBody ?? []) {
        const part = Buffer.from(chunk as Buffer);
        bytes += part.length;
        if (bytes > facts.bytes) break; // Never more than was announced.
        chunks.push(part);
      }
      return Buffer.concat(chunks);
    });
  } catch (error) {
    context.signal.throwIfAborted();
    throw azureFailure('STORAGE', what, error);
  }
  if (content.length === facts.bytes && (facts.contentMd5 === undefined || md5Of(content) === facts.contentMd5)) {
    return content;
  }
  throw new Failure('STORAGE_CONTENT_MISMATCH', `${what}: the content read is not the content declared`, {
    next: 'retry',
    hint: 'read it again; if it stays so, the MD5 its writer declared is wrong',
  });
}

async function absent<T>(context: ReadContext, what: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    context.signal.throwIfAborted();
    if (statusOf(error) === 404) return undefined;
    throw azureFailure('STORAGE', what, error);
  }
}
