// What makes two secrets the same, and which secrets are carried. Values are compared through an HMAC whose key only the
// two vaults hold, so that neither an inventory nor a difference says anything about a value.

import { canonicalJson, hmacSha256 } from '#base';
import type { NewSecret, SecretAttributes, StoredSecret } from './client.ts';

/** Tag put on every secret written here: the artifact key. The neutral form leaves it out. */
export const markerTag = 'understudy-key';
/** The vault takes no more tags than this. */
const tagsMax = 15;
/** @azure/keyvault-secrets 4.12 cuts dates to 32 bits when it writes them: 2038-01-19 is the last it can set. */
const dateMax = 2 ** 31 - 1;

/** Why a secret is seen but not carried; undefined when it is carried. */
export function whyListed(secret: SecretAttributes, nowSeconds: number): string | undefined {
  if (secret.managed) return 'belongs to a certificate of the vault, which carries it';
  if (!secret.enabled) return 'disabled';
  if (secret.expires !== undefined && secret.expires <= nowSeconds) return `expired on ${dateOf(secret.expires)}`;
  const latest = Math.max(secret.expires ?? 0, secret.notBefore ?? 0);
  if (latest > dateMax) return `has a date after 2038-01-19 (${dateOf(latest)}), which cannot be written`;
  return undefined;
}

/** HMAC-SHA-256 of the neutral form with the value. The name is in it: equal values under two names do not show. */
export function digestOfSecret(secret: NewSecret, comparisonKey: string): string {
  return hmacSha256(Buffer.from(comparisonKey), canonicalJson({ ...neutralOf(secret), value: secret.value }));
}

/** Digest of a secret that is only listed: its attributes, never its value. */
export function digestOfAttributes(secret: SecretAttributes, comparisonKey: string): string {
  return hmacSha256(Buffer.from(comparisonKey), canonicalJson({ ...neutralOf(secret), enabled: secret.enabled }));
}

/** What a person sees of a secret. */
export function viewOf(secret: SecretAttributes): Record<string, unknown> {
  const { name, contentType, tags } = neutralOf(secret);
  return {
    name,
    ...(contentType === null ? {} : { contentType }),
    enabled: secret.enabled,
    ...(secret.expires === undefined ? {} : { expires: dateOf(secret.expires) }),
    ...(secret.notBefore === undefined ? {} : { notBefore: dateOf(secret.notBefore) }),
    tags,
  };
}

/** The secret as it is to stand in the other vault. */
export function wantedOf(source: StoredSecret): NewSecret {
  const tags = tagsWithoutMarker(source);
  const marked = Object.keys(tags).length < tagsMax ? { ...tags, [markerTag]: source.name } : tags;
  const { name, value, contentType, notBefore, expires } = source;
  return { name, value, contentType, notBefore, expires, tags: marked };
}

/** Whether PATCH can make the attributes equal: it can set and change, but not take away. */
export function attributesCanBeSet(current: StoredSecret, wanted: NewSecret): boolean {
  const lost = (['contentType', 'notBefore', 'expires'] as const).some(
    (attribute) => current[attribute] !== undefined && wanted[attribute] === undefined,
  );
  return current.value === wanted.value && !lost;
}

function neutralOf(secret: Pick<NewSecret, 'name' | 'contentType' | 'notBefore' | 'expires' | 'tags'>): {
  name: string;
  contentType: string | null;
  notBefore: number | null;
  expires: number | null;
  tags: Record<string, string>;
} {
  return {
    name: secret.name,
    contentType: secret.contentType ?? null,
    notBefore: secret.notBefore ?? null,
    expires: secret.expires ?? null,
    tags: tagsWithoutMarker(secret),
  };
}

function tagsWithoutMarker(secret: Pick<SecretAttributes, 'tags'>): Record<string, string> {
  const { [markerTag]: _, ...tags } = secret.tags;
  return tags;
}

function dateOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}
