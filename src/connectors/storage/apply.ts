// Makes one container or blob in the following account equal to the leading one. Every write carries the etag of what was
// seen, so it changes nothing that has moved on, and an answer that was lost is looked up before anything is repeated.

import { digestOf, Failure, unreachable } from '#base';
import { azureFailure, outcomeUnknown } from '../azure/mod.ts';
import type { ActContext, Change } from '../port.ts';
import type { Account } from './client.ts';
import { whyBlobListed, type AccountParts } from './inventory.ts';
import { digestOfBlob, headersOf, md5Of, viewOfContainer } from './neutral.ts';
import { readContainer, readContent, readFacts } from './read.ts';

export async function applyStorage(change: Change, context: ActContext, parts: AccountParts): Promise<void> {
  const [container = '', ...rest] = change.key.split('/');
  if (!parts.dependency.containers.includes(container)) {
    throw new Failure('STORAGE_NOT_CARRIED', `${change.kind} ${change.key} is not carried by ${parts.dependency.id}`);
  }
  const from = parts.accounts[change.from];
  const to = parts.accounts[change.to];
  const blob = { container, name: rest.join('/') };
  if (change.kind === 'container') {
    return change.action === 'delete'
      ? removeContainer(container, to, context)
      : carryContainer(container, { from, to }, context);
  }
  if (change.kind !== 'blob') throw new Failure('STORAGE_NOT_CARRIED', `storage has no ${change.kind}`);
  switch (change.action) {
    case 'delete':
      return removeBlob(blob, to, context);
    case 'create':
    case 'update':
      return carryBlob(blob, { from, to }, { context, bytesMax: parts.dependency.blobBytesMax });
    default:
      return unreachable(change.action);
  }
}

interface Accounts {
  readonly from: Account;
  readonly to: Account;
}

async function carryContainer(name: string, { from, to }: Accounts, context: ActContext): Promise<void> {
  const source = await readContainer(from, name, context);
  if (!source) throw sourceMissing(`container ${name}`);
  const wanted = digestOf(viewOfContainer(source.metadata));
  await untilSo(`container ${name}`, context, {
    so: async () => {
      const current = await readContainer(to, name, context);
      return { reached: current !== undefined && digestOf(viewOfContainer(current.metadata)) === wanted, current };
    },
    write: (current) =>
      to.write(context, (service, abortSignal) => {
        const client = service.getContainerClient(name);
        const metadata = source.metadata ?? {};
        return current ? client.setMetadata(metadata, { abortSignal }) : client.create({ metadata, abortSignal });
      }),
  });
}

async function carryBlob(
  blob: { container: string; name: string },
  { from, to }: Accounts,
  { context, bytesMax }: { context: ActContext; bytesMax: number },
): Promise<void> {
  const what = `blob ${blob.container}/${blob.name}`;
  const facts = await readFacts(from, blob, context);
  if (!facts) throw sourceMissing(what);
  const reason = whyBlobListed(facts, bytesMax);
  if (reason !== undefined) throw new Failure('STORAGE_NOT_CARRIED', `${what} is not carried: ${reason}`);
  const content = await readContent(from, { container: blob.container, facts }, context);
  const wanted = digestOfBlob(facts, md5Of(content));
  await untilSo(what, context, {
    so: async () => {
      const current = await readFacts(to, blob, context);
      const md5 = current && (await contentMd5(to, blob.container, current, context));
      return { reached: current !== undefined && digestOfBlob(current, md5 ?? null) === wanted, current };
    },
    write: (current) =>
      to.write(context, (service, abortSignal) =>
        service
          .getContainerClient(blob.container)
          .getBlockBlobClient(blob.name)
          .upload(content, content.length, {
            abortSignal,
            blobHTTPHeaders: { ...headersOf(facts), blobContentMD5: Buffer.from(md5Of(content), 'hex') },
            metadata: { ...facts.metadata },
            conditions: current ? { ifMatch: current.etag } : { ifNoneMatch: '*' },
          }),
      ),
  });
}

async function contentMd5(
  account: Account,
  container: string,
  facts: NonNullable<Awaited<ReturnType<typeof readFacts>>>,
  context: ActContext,
): Promise<string> {
  return facts.contentMd5 ?? md5Of(await readContent(account, { container, facts }, context));
}

async function removeBlob(blob: { container: string; name: string }, to: Account, context: ActContext): Promise<void> {
  await untilSo(`blob ${blob.container}/${blob.name}`, context, {
    so: async () => {
      const current = await readFacts(to, blob, context);
      return { reached: current === undefined, current };
    },
    write: (current) =>
      to.write(context, (service, abortSignal) =>
        service
          .getContainerClient(blob.container)
          .getBlobClient(blob.name)
          .delete({ abortSignal, deleteSnapshots: 'include', conditions: { ifMatch: current?.etag ?? '*' } }),
      ),
  });
}

async function removeContainer(name: string, to: Account, context: ActContext): Promise<void> {
  await untilSo(`container ${name}`, context, {
    so: async () => {
      const current = await readContainer(to, name, context);
      return { reached: current === undefined, current };
    },
    write: () => to.write(context, (service, abortSignal) => service.getContainerClient(name).delete({ abortSignal })),
  });
}

/** Looks, writes when it is not yet so, and looks again after a lost answer; at most two writes. */
async function untilSo<Current>(
  what: string,
  context: ActContext,
  act: {
    so(): Promise<{ reached: boolean; current: Current | undefined }>;
    write(current: Current | undefined): Promise<unknown>;
  },
): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    const { reached, current } = await act.so();
    if (reached) return;
    try {
      await act.write(current);
      return;
    } catch (error) {
      context.signal.throwIfAborted();
      if (!outcomeUnknown(error)) throw azureFailure('STORAGE', `writing ${what}`, error);
    }
  }
  if ((await act.so()).reached) return;
  throw new Failure('STORAGE_OUTCOME_UNKNOWN', `writing ${what} gave no answer and is not to be seen`, {
    next: 'retry',
    hint: 'check that the account is up and writable; the next sync looks before it writes',
  });
}

function sourceMissing(what: string): Failure {
  return new Failure('STORAGE_SOURCE_MISSING', `${what} is gone from the leading account`, {
    next: 'retry',
    hint: 'take the inventory again',
  });
}
