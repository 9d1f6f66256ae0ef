// The vendor's wire shapes: request bodies as it checks them, bundles and list items as it answers them.

import { z } from 'zod';
import type { SecretVersion } from './store.ts';

const attributes = z.object({
  enabled: z.boolean().optional(),
  nbf: z.int().nullish(),
  exp: z.int().nullish(),
});
/** At most 15 tags, 256 characters each (key-vault/secrets/about-secrets). */
const tags = z
  .record(z.string().max(256), z.string().max(256))
  .refine((given) => Object.keys(given).length <= 15, 'at most 15 tags');

export const setBody = z.object({
  value: z.string().max(25_600),
  contentType: z.string().max(255).nullish(),
  tags: tags.nullish(),
  attributes: attributes.nullish(),
});

/** PATCH: `value` is no property of it and is refused. */
export const updateBody = z.object({
  value: z.undefined('it cannot be changed by an update').optional(),
  contentType: z.string().max(255).nullish(),
  tags: tags.nullish(),
  attributes: attributes.nullish(),
});

/** `itemOf` without the version: what the list of secrets shows. */
export function itemOf(secret: SecretVersion, vault: string, withVersion: boolean): Record<string, unknown> {
  return {
    id: `${vault}/secrets/${secret.name}${withVersion ? `/${secret.version}` : ''}`,
    ...(secret.contentType === null ? {} : { contentType: secret.contentType }),
    ...(secret.managed ? { managed: true } : {}),
    attributes: {
      enabled: secret.enabled,
      ...(secret.nbf === null ? {} : { nbf: secret.nbf }),
      ...(secret.exp === null ? {} : { exp: secret.exp }),
      created: secret.created,
      updated: secret.updated,
      recoveryLevel: 'Recoverable+Purgeable',
      recoverableDays: 90,
    },
    tags: secret.tags,
  };
}

export function bundleOf(secret: SecretVersion, vault: string): Record<string, unknown> {
  return { value: secret.value, ...itemOf(secret, vault, true) };
}

export function deletedOf(
  secret: SecretVersion,
  vault: string,
  options: { deletedMs: number; withVersion: boolean },
): Record<string, unknown> {
  const deletedDate = Math.floor(options.deletedMs / 1_000);
  return {
    recoveryId: `${vault}/deletedsecrets/${secret.name}`,
    deletedDate,
    scheduledPurgeDate: deletedDate + 90 * 86_400,
    ...itemOf(secret, vault, options.withVersion),
  };
}
