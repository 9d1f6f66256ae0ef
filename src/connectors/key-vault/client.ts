// One vault through the official client, under deadlines, with `KEY_VAULT_…` failures and no secret in any of them.
// Reads are repeated by the SDK; writes never are, because each repeated PUT would be a new version.

import { Failure, type Clock } from '#base';
import type { TokenCredential } from '@azure/core-auth';
import type { SecretClient, SecretClientOptions, SecretProperties } from '@azure/keyvault-secrets';
import { azureFailure, statusOf, withDeadline, type Acting } from '../azure/mod.ts';
import type { ActContext, ReadContext } from '../port.ts';

/** A secret's attributes as the vault lists them; dates in seconds since the Unix epoch. */
export interface SecretAttributes {
  readonly name: string;
  readonly enabled: boolean;
  readonly managed: boolean;
  readonly contentType: string | undefined;
  readonly notBefore: number | undefined;
  readonly expires: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
}
export interface StoredSecret extends SecretAttributes {
  readonly value: string;
  readonly version: string;
}
export type NewSecret = Omit<SecretAttributes, 'enabled' | 'managed'> & Pick<StoredSecret, 'value'>;

export interface Vault {
  list(context: ReadContext): Promise<SecretAttributes[]>;
  /** Undefined when the vault has no such secret. */
  get(name: string, context: ReadContext): Promise<StoredSecret | undefined>;
  /** Writes throw what the SDK threw, so that the caller can tell an unknown outcome from a refusal. */
  set(secret: NewSecret, context: ActContext): Promise<void>;
  setAttributes(secret: NewSecret, version: string, context: ActContext): Promise<void>;
  remove(name: string, context: ActContext): Promise<void>;
  /** Starts the recovery of a deleted secret. */
  recover(name: string, context: ActContext): Promise<void>;
}

const readDeadlineMs = 10_000;
/** More than this is not a vault of credentials; the bound keeps a listing from running without end. */
const secretsMax = 20_000;

export interface VaultOptions {
  readonly url: string;
  readonly credential: TokenCredential;
  readonly acting: Acting;
  readonly clock: Clock;
  readonly writeDeadlineMs: number;
}

export function openVault(options: VaultOptions): Vault {
  let clients: Promise<{ read: SecretClient; write: SecretClient }> | undefined;
  const open = (): Promise<{ read: SecretClient; write: SecretClient }> => (clients ??= openClients(options));
  const { clock, writeDeadlineMs } = options;
  const limits = ({ signal }: ReadContext, deadlineMs = readDeadlineMs) => ({ clock, signal, deadlineMs });
  const write = (context: ActContext, call: (client: SecretClient, signal: AbortSignal) => Promise<unknown>) =>
    options.acting.run(context, writeDeadlineMs, async () => {
      await withDeadline(limits(context, writeDeadlineMs), async (signal) => call((await open()).write, signal));
    });
  return {
    list: (context) => listSecrets(open, limits(context), options.url),
    async get(name, context) {
      try {
        return await withDeadline(limits(context), async (abortSignal) => {
          const secret = await (await open()).read.getSecret(name, { abortSignal });
          return {
            ...attributesOf(secret.properties),
            value: secret.value ?? '',
            version: secret.properties.version ?? '',
          };
        });
      } catch (error) {
        context.signal.throwIfAborted();
        if (statusOf(error) === 404) return undefined;
        throw azureFailure('KEY_VAULT', `secret ${name} of ${options.url}`, error);
      }
    },
    set: (secret, context) =>
      write(context, (client, abortSignal) =>
        client.setSecret(secret.name, secret.value, { ...writtenAttributes(secret), abortSignal }),
      ),
    setAttributes: (secret, version, context) =>
      write(context, (client, abortSignal) =>
        client.updateSecretProperties(secret.name, version, { ...writtenAttributes(secret), abortSignal }),
      ),
    remove: (name, context) => write(context, (client, abortSignal) => client.beginDeleteSecret(name, { abortSignal })),
    recover: (name, context) =>
      write(context, (client, abortSignal) => client.beginRecoverDeletedSecret(name, { abortSignal })),
  };
}

async function openClients(options: VaultOptions): Promise<{ read: SecretClient; write: SecretClient }> {
  const { SecretClient } = await import('@azure/keyvault-secrets');
  const url = new URL(options.url);
  const loopback = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url.protocol === 'http:' && !loopback) {
    throw new Failure('KEY_VAULT_INSECURE', `${options.url} would send secrets in the clear`, {
      next: 'ask_operator',
      hint: 'use https; http is for a vault on loopback only',
    });
  }
  const common: SecretClientOptions = {
    ...(loopback ? { disableChallengeResourceVerification: true, allowInsecureConnection: true } : {}),
    additionalPolicies: [
      {
        // After retries and the SDK's own authentication: the last step before the wire.
        position: 'perRetry',
        policy: {
          name: 'understudyActing',
          sendRequest: (request, next) => {
            options.acting.beforeSend((name, value) => request.headers.set(name, value));
            return next(request);
          },
        },
      },
    ],
  };
  const retries = { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };
  return {
    read: new SecretClient(options.url, options.credential, { ...common, retryOptions: retries }),
    write: new SecretClient(options.url, options.credential, { ...common, retryOptions: { maxRetries: 0 } }),
  };
}

async function listSecrets(
  open: () => Promise<{ read: SecretClient }>,
  limits: Parameters<typeof withDeadline>[0],
  url: string,
): Promise<SecretAttributes[]> {
  const found: SecretAttributes[] = [];
  // The SDK takes one signal for all pages; each page has its own deadline around it.
  const over = new AbortController();
  try {
    const abortSignal = AbortSignal.any([limits.signal, over.signal]);
    const pages = (await open()).read.listPropertiesOfSecrets({ abortSignal }).byPage({ maxPageSize: 25 });
    for (;;) {
      const page = await withDeadline(limits, () => pages.next());
      if (page.done === true) return found;
      found.push(...page.value.map(attributesOf));
      if (found.length > secretsMax) break;
    }
  } catch (error) {
    limits.signal.throwIfAborted();
    throw azureFailure('KEY_VAULT', `secrets of ${url}`, error);
  } finally {
    over.abort();
  }
  throw new Failure('KEY_VAULT_TOO_MANY', `${url} holds more than ${secretsMax} secrets`, {
    hint: 'name the secrets to carry in the stamp and split the vault',
  });
}

function attributesOf(properties: SecretProperties): SecretAttributes {
  const seconds = (date: Date | undefined): number | undefined =>
    date ? Math.floor(date.getTime() / 1_000) : undefined;
  return {
    name: properties.name,
    enabled: properties.enabled ?? true,
    managed: properties.managed ?? false,
    contentType: properties.contentType,
    notBefore: seconds(properties.notBefore),
    expires: seconds(properties.expiresOn),
    tags: properties.tags ?? {},
  };
}

function writtenAttributes(secret: NewSecret): Parameters<SecretClient['updateSecretProperties']>[2] & object {
  return {
    enabled: true,
    tags: { ...secret.tags },
    ...(secret.contentType === undefined ? {} : { contentType: secret.contentType }),
    ...(secret.notBefore === undefined ? {} : { notBefore: new Date(secret.notBefore * 1_000) }),
    ...(secret.expires === undefined ? {} : { expiresOn: new Date(secret.expires * 1_000) }),
  };
}
