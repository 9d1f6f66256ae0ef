// The part of Azure Resource Manager that moves a Front Door's traffic: read an origin, change whether it is enabled, and
// wait for the operation. An own thin client, because a write must ask for the right to act in the turn it is sent.
// Sources: Microsoft.Cdn 2025-06-01; learn.microsoft.com/azure/azure-resource-manager/management/async-operations.

import { formatEpoch, Failure, isRecord, tryParseJson, type Clock } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import { request } from 'undici';
import { DeadlineExceeded, withDeadline } from '../azure/mod.ts';
import type { ActContext, ReadContext } from '../port.ts';

export interface TrafficParts {
  readonly dependency: DependencyOf<'traffic'>;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly writeDeadlineMs: number;
}

export interface ResourceManager {
  /** `enabled` as the origin stands now. `TRAFFIC_…` failures. */
  origin(name: string, context: ReadContext): Promise<{ enabled: boolean }>;
  /** Asks for the change and waits until the operation has ended. */
  setEnabled(name: string, enabled: boolean, context: ActContext): Promise<void>;
}

const apiVersion = '2025-06-01';
const readDeadlineMs = 10_000;
/** Azure takes minutes to carry a change to every edge; after this a person should look. */
const operationDeadlineMs = 900_000;
const pollWaitMs = { min: 100, max: 15_000, default: 1_000 } as const;
const bodyBytesMax = 1_048_576;

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

export function openResourceManager(parts: TrafficParts): ResourceManager {
  const base = parts.dependency.resourceManager.replace(/\/+$/, '');
  const url = (name: string): string =>
    `${base}${parts.dependency.originGroup}/origins/${encodeURIComponent(name)}?api-version=${apiVersion}`;
  return {
    async origin(name, context) {
      const reply = await call({ method: 'GET', url: url(name) }, context, parts);
      if (reply.status !== 200) throw refused(`origin ${name}`, reply);
      const properties = isRecord(reply.body) ? reply.body['properties'] : undefined;
      const state = isRecord(properties) ? properties['enabledState'] : undefined;
      if (state !== 'Enabled' && state !== 'Disabled') throw wrongReply(`origin ${name} without an enabledState`);
      return { enabled: state === 'Enabled' };
    },
    async setEnabled(name, enabled, context) {
      const body = JSON.stringify({ properties: { enabledState: enabled ? 'Enabled' : 'Disabled' } });
      const reply = await call({ method: 'PATCH', url: url(name), body, act: context }, context, parts);
      if (reply.status === 200 || reply.status === 201) return;
      if (reply.status !== 202) throw refused(`changing origin ${name}`, reply);
      await untilEnded(name, reply, context, { ...parts, base });
    },
  };
}

async function untilEnded(
  name: string,
  accepted: Reply,
  context: ReadContext,
  parts: TrafficParts & { base: string },
): Promise<void> {
  const operation = headerOf(accepted, 'azure-asyncoperation') ?? headerOf(accepted, 'location');
  // The token must not be sent wherever a reply points to.
  if (operation === undefined || !URL.canParse(operation) || new URL(operation).origin !== new URL(parts.base).origin) {
    throw wrongReply(`changing origin ${name}: accepted without an operation to wait for`);
  }
  const endMs = parts.clock.monotonicMs() + operationDeadlineMs;
  let reply = accepted;
  while (parts.clock.monotonicMs() < endMs) {
    await parts.clock.sleep(waitMsOf(reply, parts), context.signal);
    reply = await call({ method: 'GET', url: operation }, context, parts);
    if (reply.status === 429 || reply.status >= 500) continue;
    if (reply.status !== 200) throw refused(`operation on origin ${name}`, reply);
    const status = isRecord(reply.body) ? reply.body['status'] : undefined;
    if (status === 'Succeeded') return;
    if (status === 'Failed' || status === 'Canceled') {
      throw new Failure('TRAFFIC_OPERATION_FAILED', `changing origin ${name} ended as ${status}`, {
        next: 'ask_operator',
        hint: 'look at the activity log of the Front Door profile',
      });
    }
  }
  throw new Failure('TRAFFIC_OPERATION_TIMEOUT', `changing origin ${name} has not ended`, {
    next: 'ask_operator',
    hint: 'look at the activity log of the Front Door profile; repeating is safe',
  });
}

/** Retry-After as the service asks; on loopback the lab's operations are shorter than a second. */
function waitMsOf(reply: Reply, parts: TrafficParts): number {
  const asked = Number(headerOf(reply, 'retry-after')) * 1_000;
  const loopback = ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(parts.dependency.resourceManager).hostname);
  if (loopback) return pollWaitMs.min;
  if (!Number.isFinite(asked) || asked <= 0) return pollWaitMs.default;
  return Math.min(Math.max(asked, pollWaitMs.min), pollWaitMs.max);
}

async function call(
  asked: { method: 'GET' | 'PATCH'; url: string; body?: string; act?: ActContext },
  context: ReadContext,
  parts: TrafficParts,
): Promise<Reply> {
  const token = await parts.secrets.read(parts.dependency.token, context.signal);
  const deadlineMs = asked.act ? parts.writeDeadlineMs : readDeadlineMs;
  const limits = { clock: parts.clock, signal: context.signal, deadlineMs };
  try {
    return await withDeadline(limits, async (signal) => {
      asked.act?.assertMayAct(deadlineMs); // In the turn of the write: nothing is awaited in between.
      const response = await request(asked.url, {
        method: asked.method,
        signal,
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          ...(asked.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(asked.act
            ? { 'x-understudy-epoch': formatEpoch(asked.act.epoch), 'x-understudy-act': asked.act.act }
            : {}),
        },
        ...(asked.body === undefined ? {} : { body: asked.body }),
      });
      const text = await boundedText(response.body);
      const parsed = tryParseJson(text);
      return { status: response.statusCode, headers: response.headers, body: parsed.ok ? parsed.value : undefined };
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof Failure) throw error;
    const suffix = error instanceof DeadlineExceeded ? 'TIMEOUT' : 'UNREACHABLE';
    throw new Failure(`TRAFFIC_${suffix}`, `Resource Manager at ${parts.dependency.resourceManager} gave no answer`, {
      next: 'retry',
      hint: 'check the address, DNS and firewall; for a lasting outage use the break-glass DNS record',
      cause: error,
    });
  }
}

async function boundedText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw wrongReply(`a reply above ${bodyBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function headerOf(reply: Reply, name: string): string | undefined {
  const value = reply.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function wrongReply(what: string): Failure {
  return new Failure('TRAFFIC_WRONG_REPLY', `Resource Manager answered with ${what}`, {
    next: 'ask_operator',
    hint: 'check that resourceManager and originGroup in the stamp name a Front Door',
  });
}

/** Codes: TRAFFIC_UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _UNAVAILABLE, _REFUSED. */
function refused(what: string, reply: Reply): Failure {
  const error = isRecord(reply.body) && isRecord(reply.body['error']) ? reply.body['error']['code'] : undefined;
  const code = typeof error === 'string' ? error : undefined;
  const text = `${what}: Resource Manager answered ${reply.status}${code === undefined ? '' : ` ${code}`}`;
  const details = { status: reply.status, ...(code === undefined ? {} : { vendorCode: code }) };
  if (reply.status === 401 || reply.status === 403) {
    return new Failure('TRAFFIC_UNAUTHORIZED', text, {
      next: 'ask_operator',
      hint: 'renew the token; the identity needs CDN Profile Contributor',
      details,
    });
  }
  if (reply.status === 404) {
    const hint = 'correct originGroup and the origins in the stamp';
    return new Failure('TRAFFIC_NOT_FOUND', text, { hint, details });
  }
  if (reply.status === 409 || reply.status === 412) {
    return new Failure('TRAFFIC_CONFLICT', text, { next: 'retry', hint: 'another change is under way', details });
  }
  if (reply.status === 429 || reply.status >= 500) {
    return new Failure('TRAFFIC_UNAVAILABLE', text, { next: 'retry', hint: 'wait, then repeat', details });
  }
  return new Failure('TRAFFIC_REFUSED', text, { hint: 'the call itself was not accepted', details });
}
