// What makes two blobs, or two containers, the same in both accounts: content, headers and metadata; never times, etags
// or addresses.

import { createHash } from 'node:crypto';
import { digestOf } from '#base';
import type { BlobHTTPHeaders } from '@azure/storage-blob';

export interface BlobFacts {
  readonly name: string;
  readonly bytes: number;
  readonly blobType: string;
  /** Hex; undefined when the service holds none (blobs put together from blocks). */
  readonly contentMd5: string | undefined;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly contentLanguage: string | null;
  readonly contentDisposition: string | null;
  readonly cacheControl: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly etag: string;
}

interface ServiceProperties {
  readonly contentLength?: number | undefined;
  readonly blobType?: string | undefined;
  readonly contentMD5?: Uint8Array | undefined;
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly contentLanguage?: string | undefined;
  readonly contentDisposition?: string | undefined;
  readonly cacheControl?: string | undefined;
  readonly etag?: string | undefined;
}

export function factsOf(
  name: string,
  properties: ServiceProperties,
  metadata: Readonly<Record<string, string>> | undefined,
): BlobFacts {
  const md5 = properties.contentMD5;
  return {
    name,
    bytes: properties.contentLength ?? 0,
    blobType: properties.blobType ?? 'BlockBlob',
    contentMd5: md5 && md5.length > 0 ? Buffer.from(md5).toString('hex') : undefined,
    contentType: properties.contentType ?? null,
    contentEncoding: properties.contentEncoding || null,
    contentLanguage: properties.contentLanguage || null,
    contentDisposition: properties.contentDisposition || null,
    cacheControl: properties.cacheControl || null,
    metadata: metadata ?? {},
    etag: properties.etag ?? '',
  };
}

/** MD5 because the service keeps it for most blobs: comparing needs a listing, not a download. It guards against
 * difference, not against an attacker. */
export function md5Of(content: Uint8Array): string {
  return createHash('md5').update(content).digest('hex');
}

/** `contentMd5`: from the facts or computed; null for blobs that are only listed and have none. */
export function viewOfBlob(facts: BlobFacts, contentMd5: string | null): Record<string, unknown> {
  const { bytes, contentType, contentEncoding, contentLanguage, contentDisposition, cacheControl, metadata } = facts;
  return {
    bytes,
    contentMd5,
    contentType,
    contentEncoding,
    contentLanguage,
    contentDisposition,
    cacheControl,
    metadata: lowerCaseKeys(metadata),
  };
}

export function digestOfBlob(facts: BlobFacts, contentMd5: string | null): string {
  return digestOf(viewOfBlob(facts, contentMd5));
}

export function viewOfContainer(metadata: Readonly<Record<string, string>> | undefined): Record<string, unknown> {
  return { metadata: lowerCaseKeys(metadata ?? {}) };
}

export function headersOf(facts: BlobFacts): BlobHTTPHeaders {
  return {
    ...(facts.contentType === null ? {} : { blobContentType: facts.contentType }),
    ...(facts.contentEncoding === null ? {} : { blobContentEncoding: facts.contentEncoding }),
    ...(facts.contentLanguage === null ? {} : { blobContentLanguage: facts.contentLanguage }),
    ...(facts.contentDisposition === null ? {} : { blobContentDisposition: facts.contentDisposition }),
    ...(facts.cacheControl === null ? {} : { blobCacheControl: facts.cacheControl }),
  };
}

/** Metadata travels in headers, whose names have no case. */
function lowerCaseKeys(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key.toLowerCase(), value]));
}
