// The vault's operations on secrets, after authentication. Each answers {status, body} or throws a `VaultRefusal`.

import { sha256 } from '#base';
import type { z } from 'zod';
import type { VendorCall } from '../kit/mod.ts';
import { badParameter, conflict, deletedNotFound, disabled, expired, notYetValid, secretNotFound } from './errors.ts';
import { bundleOf, deletedOf, itemOf, setBody, updateBody } from './shapes.ts';
import type { NameState, SecretTables, SecretVersion } from './store.ts';

export interface Asked {
  readonly tables: SecretTables;
  readonly call: VendorCall;
  /** The vault's own base URL, as the caller reached it. */
  readonly vault: string;
  readonly nowMs: number;
}
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

const ok = (body: unknown): Answer => ({ status: 200, body });

export async function setSecret(name: string, asked: Asked): Promise<Answer> {
  const body = await parsed(setBody, asked.call);
  refuseUnusable(name, asked, ['live']);
  const secret = asked.tables.add(
    {
      name,
      value: body.value,
      contentType: body.contentType ?? null,
      tags: body.tags ?? {},
      enabled: body.attributes?.enabled ?? true,
      nbf: body.attributes?.nbf ?? null,
      exp: body.attributes?.exp ?? null,
      managed: false,
    },
    seconds(asked),
  );
  if (!asked.tables.state(name, asked.nowMs)) asked.tables.setState(name, 'live', asked.nowMs);
  asked.call.effect('secret-set', name, { version: secret.version, valueDigest: sha256(body.value).slice(0, 16) });
  return ok(bundleOf(secret, asked.vault));
}

export async function updateSecret(name: string, version: string, asked: Asked): Promise<Answer> {
  const body = await parsed(updateBody, asked.call);
  const secret = found(name, version, asked);
  const attributes = body.attributes ?? {};
  const next = {
    contentType: body.contentType ?? secret.contentType,
    tags: body.tags ?? secret.tags,
    enabled: attributes.enabled ?? secret.enabled,
    nbf: attributes.nbf ?? secret.nbf,
    exp: attributes.exp ?? secret.exp,
  };
  asked.tables.change(secret.version, next, seconds(asked));
  asked.call.effect('secret-updated', name, { version: secret.version });
  const { value: _, ...answer } = bundleOf({ ...secret, ...next, updated: seconds(asked) }, asked.vault);
  return ok(answer);
}

/** A disabled secret is refused. Dates are advice to readers: the vendor documents that get works outside nbf and exp
 * (key-vault/secrets/about-secrets, date-time controlled operations); the fault `enforce-dates` shows the stricter vault. */
export function getSecret(name: string, version: string, asked: Asked): Answer {
  const secret = found(name, version, asked);
  if (!secret.enabled) throw disabled();
  if (asked.call.special('enforce-dates')) {
    if (secret.exp !== null && secret.exp <= seconds(asked)) throw expired();
    if (secret.nbf !== null && secret.nbf > seconds(asked)) throw notYetValid();
  }
  return ok(bundleOf(secret, asked.vault));
}

export function listSecrets(asked: Asked): Answer {
  const { limit, after } = page(asked);
  const names = asked.tables.names(after, ['live'], limit + 1, asked.nowMs);
  const shown = names.slice(0, limit).map((name) => latest(name, asked));
  return ok(listed(asked, '/secrets', shown, { more: names.length > limit, mark: (last) => last.name }));
}

export function listVersions(name: string, asked: Asked): Answer {
  found(name, '', asked);
  const { limit, after } = page(asked);
  const versions = asked.tables.versions(name, after, limit + 1);
  const more = versions.length > limit;
  const path = `/secrets/${name}/versions`;
  return ok(listed(asked, path, versions.slice(0, limit), { more, mark: (last) => last.version, withVersion: true }));
}

export function deleteSecret(name: string, asked: Asked): Answer {
  const secret = found(name, '', asked);
  asked.tables.setState(name, 'deleting', asked.nowMs);
  asked.call.effect('secret-deleted', name);
  return ok(deletedOf(secret, asked.vault, { deletedMs: asked.nowMs, withVersion: true }));
}

export function listDeleted(asked: Asked): Answer {
  const { limit, after } = page(asked);
  const names = asked.tables.names(after, ['deleted'], limit + 1, asked.nowMs);
  const value = names.slice(0, limit).map((name) => {
    const state = asked.tables.state(name, asked.nowMs);
    return deletedOf(latest(name, asked), asked.vault, { deletedMs: state?.sinceMs ?? 0, withVersion: false });
  });
  const last = names[limit - 1];
  return ok({ value, nextLink: names.length > limit && last ? nextLink(asked, '/deletedsecrets', last) : null });
}

export function getDeleted(name: string, asked: Asked): Answer {
  const state = deletedState(name, asked);
  return ok(deletedOf(latest(name, asked), asked.vault, { deletedMs: state.sinceMs, withVersion: true }));
}

export function recoverDeleted(name: string, asked: Asked): Answer {
  deletedState(name, asked);
  asked.tables.setState(name, 'recovering', asked.nowMs);
  asked.call.effect('secret-recovered', name);
  return ok(itemOf(latest(name, asked), asked.vault, true));
}

export function purgeDeleted(name: string, asked: Asked): Answer {
  deletedState(name, asked);
  asked.tables.purge(name);
  asked.call.effect('secret-purged', name);
  return { status: 204 };
}

// ---- helpers, in call order -------------------------------------------------------------------------------------------

async function parsed<T extends z.ZodType>(shape: T, call: VendorCall): Promise<z.output<T>> {
  let value: unknown;
  try {
    value = JSON.parse((await call.body(1_048_576)).toString('utf8'));
  } catch {
    throw badParameter('The request body is not valid JSON.');
  }
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw badParameter(`Property ${issue?.path.join('.') ?? ''} has invalid value: ${issue?.message ?? ''}`);
}

function refuseUnusable(name: string, asked: Asked, usable: readonly NameState['state'][]): void {
  const state = asked.tables.state(name, asked.nowMs)?.state;
  if (state === undefined || usable.includes(state)) return;
  if (state === 'deleting') throw conflict.beingDeleted(name);
  if (state === 'recovering') throw conflict.beingRecovered(name);
  throw conflict.recoverable(name);
}

function found(name: string, version: string, asked: Asked): SecretVersion {
  if (asked.tables.state(name, asked.nowMs)?.state !== 'live') throw secretNotFound(name);
  const secret = version === '' ? asked.tables.latest(name) : asked.tables.version(name, version);
  if (!secret) throw secretNotFound(version === '' ? name : `${name}/${version}`);
  return secret;
}

function latest(name: string, asked: Asked): SecretVersion {
  const secret = asked.tables.latest(name);
  if (!secret) throw secretNotFound(name);
  return secret;
}

function deletedState(name: string, asked: Asked): NameState {
  const state = asked.tables.state(name, asked.nowMs);
  if (state?.state === 'recovering') throw conflict.beingRecovered(name);
  if (state?.state !== 'deleted') throw deletedNotFound(name);
  return state;
}

function page(asked: Asked): { limit: number; after: string } {
  const written = asked.call.url.searchParams.get('maxresults') ?? '25';
  const limit = Number(written);
  if (!/^\d+$/.test(written) || limit < 1 || limit > 25) {
    throw badParameter(`Parameter maxresults has an invalid value: ${written}. It must be between 1 and 25.`);
  }
  const token = asked.call.url.searchParams.get('$skiptoken') ?? '';
  return { limit, after: Buffer.from(token, 'base64url').toString('utf8') };
}

function listed(
  asked: Asked,
  path: string,
  shown: readonly SecretVersion[],
  how: { more: boolean; mark: (last: SecretVersion) => string; withVersion?: boolean },
): Record<string, unknown> {
  const last = shown.at(-1);
  return {
    value: shown.map((secret) => itemOf(secret, asked.vault, how.withVersion ?? false)),
    nextLink: how.more && last ? nextLink(asked, path, how.mark(last)) : null,
  };
}

function nextLink(asked: Asked, path: string, mark: string): string {
  const given = asked.call.url.searchParams;
  const query = new URLSearchParams({
    'api-version': given.get('api-version') ?? '',
    $skiptoken: Buffer.from(mark).toString('base64url'),
    maxresults: given.get('maxresults') ?? '25',
  });
  return `${asked.vault}${path}?${query.toString()}`;
}

function seconds(asked: Asked): number {
  return Math.floor(asked.nowMs / 1_000);
}
