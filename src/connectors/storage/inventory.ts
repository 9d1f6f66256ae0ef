// Lists the declared containers of one account and their blobs. A blob is downloaded only when the service holds no MD5
// of it, and only up to `blobBytesMax`.

import { digestOf, type Site } from '#base';
import type { Artifact, Inventory, ReadContext } from '../port.ts';
import type { Account, StorageParts } from './client.ts';
import { digestOfBlob, md5Of, viewOfBlob, viewOfContainer, type BlobFacts } from './neutral.ts';
import { listBlobs, readContainer, readContent } from './read.ts';

export interface AccountParts extends StorageParts {
  readonly accounts: Readonly<Record<Site, Account>>;
}

export async function inventoryStorage(site: Site, context: ReadContext, parts: AccountParts): Promise<Inventory> {
  const startedAtMs = parts.clock.wallMs();
  const account = parts.accounts[site];
  const artifacts: Artifact[] = [];
  for (const container of parts.dependency.containers) {
    const found = await readContainer(account, container, context);
    if (!found) continue;
    const view = viewOfContainer(found.metadata);
    artifacts.push({ kind: 'container', key: container, digest: digestOf(view), class: 'carried', view });
    for (const facts of await listBlobs(account, container, context)) {
      artifacts.push(
        await blobArtifact(container, facts, { account, context, bytesMax: parts.dependency.blobBytesMax }),
      );
    }
  }
  return { site, dependency: parts.dependency.id, startedAtMs, artifacts, twins: [] };
}

/** Why a blob is seen but not carried; undefined when it is carried. */
export function whyBlobListed(facts: BlobFacts, bytesMax: number): string | undefined {
  if (facts.blobType !== 'BlockBlob') return `${facts.blobType}: only block blobs are carried`;
  if (facts.bytes > bytesMax) return `${facts.bytes} bytes, above blobBytesMax (${bytesMax}): use object replication`;
  return undefined;
}

async function blobArtifact(
  container: string,
  facts: BlobFacts,
  how: { account: Account; context: ReadContext; bytesMax: number },
): Promise<Artifact> {
  const common = { kind: 'blob', key: `${container}/${facts.name}` };
  const reason = whyBlobListed(facts, how.bytesMax);
  if (reason !== undefined) {
    const md5 = facts.contentMd5 ?? null;
    return { ...common, digest: digestOfBlob(facts, md5), class: 'listed', reason, view: viewOfBlob(facts, md5) };
  }
  const md5 = facts.contentMd5 ?? md5Of(await readContent(how.account, { container, facts }, how.context));
  return { ...common, digest: digestOfBlob(facts, md5), class: 'carried', view: viewOfBlob(facts, md5) };
}
