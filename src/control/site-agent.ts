// The control plane's half of a site's own process: it renews the lease and reports telemetry progress, answers the
// controller under /understudy/, and holds the site's own schedules while the site has no right to run them.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import {
  codeOf,
  describeError,
  Failure,
  formatEpoch,
  isRecord,
  tryParseJson,
  type Clock,
  type Epoch,
  type Finding,
  type Role,
  type Site,
} from '#base';
import type { ScheduleControl } from '#connectors';
import type { AuthorityView, LogLine } from '#gateway';
import { LeaseHolder, type Authority } from '#ledger';
import type { SiteState } from '#run';
import { callOwn, errorBody } from './http.ts';
import type { TokenSigner, TokenVerifier } from './tokens.ts';

export interface SiteAgentOptions {
  readonly site: Site;
  readonly clock: Clock;
  readonly leaseTtlMs: number;
  readonly controlUrl: string;
  readonly signer: TokenSigner;
  readonly verifier: TokenVerifier;
  readonly schedules: ScheduleControl;
  /** Breakers, routes and telemetry as they are now. */
  readonly observe: () => Pick<SiteState, 'telemetry' | 'breakers' | 'routes'>;
  readonly probe: (what: 'egress' | 'identity', signal: AbortSignal) => Promise<Finding[]>;
  readonly flush: (signal: AbortSignal) => Promise<void>;
  log(line: LogLine): void;
}

export interface RunningSiteAgent {
  readonly view: AuthorityView;
  handle(incoming: IncomingMessage, response: ServerResponse): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

const role = z.enum(['active', 'standby', 'fenced']);
const authorityBody = z.object({
  epoch: z.object({ generation: z.int().min(1), number: z.int().min(1) }),
  roles: z.object({ home: role, partner: role }),
  by: z.string(),
});
const bodyBytesMax = 65_536;
const holdTimeoutMs = 30_000;
const holdEveryMs = 1_000;
const statuses: Readonly<Record<string, number>> = {
  BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
};

export function createSiteAgent(options: SiteAgentOptions): RunningSiteAgent {
  const { clock, site } = options;
  const holder = new LeaseHolder({ clock, site });
  const stopping = new AbortController();
  const work: Promise<void>[] = [];
  const view: AuthorityView = {
    site,
    role: () => roleOf(holder),
    epoch: () => epochOf(holder),
    mayAct: (deadlineMs) => holder.mayAct(deadlineMs),
  };
  const state = (): SiteState => ({
    site,
    role: roleOf(holder),
    epoch: epochOf(holder) ?? null,
    mayAct: holder.mayAct(),
    ...options.observe(),
  });
  return {
    view,
    handle: (incoming, response) => answer(incoming, response, { options, holder, state }),
    start() {
      work.push(renewForever({ options, holder, state, signal: stopping.signal }));
      work.push(holdOwnSchedules({ options, holder, signal: stopping.signal }));
    },
    async stop() {
      stopping.abort(new Failure('STOPPING', 'the process is stopping'));
      await Promise.allSettled(work);
      holder.close();
    },
  };
}

function roleOf(holder: LeaseHolder): Role | 'unknown' {
  const known = holder.state();
  return known.phase === 'heard' ? known.role : 'unknown';
}

function epochOf(holder: LeaseHolder): Epoch | undefined {
  const known = holder.state();
  return known.phase === 'heard' ? known.epoch : undefined;
}

interface Parts {
  readonly options: SiteAgentOptions;
  readonly holder: LeaseHolder;
  readonly state: () => SiteState;
}

/** Renews at a quarter of the lease; each try has its own deadline, and a failed one is simply followed by the next. */
async function renewForever(parts: Parts & { signal: AbortSignal }): Promise<void> {
  const { options, signal } = parts;
  const everyMs = options.leaseTtlMs / 4;
  let failing = false;
  while (!signal.aborted) {
    try {
      await renew(parts, everyMs * 3);
      if (failing) options.log({ level: 'info', code: 'controller-back', message: 'the controller answers again' });
      failing = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!failing) options.log({ level: 'warn', code: 'controller-silent', message: describeError(error) });
      failing = true;
    }
    await options.clock.sleep(everyMs, signal).catch(() => undefined);
  }
}

async function renew(parts: Parts & { signal: AbortSignal }, timeoutMs: number): Promise<void> {
  const { options, holder } = parts;
  const { telemetry } = options.observe();
  const authorization = await options.signer.authorization('control');
  const token = holder.requestStarted();
  const reply = (await callOwn({
    method: 'POST',
    url: `${options.controlUrl}/api/sites/${options.site}/lease`,
    authorization,
    body: { epoch: epochOf(holder) ?? null, telemetry },
    signal: AbortSignal.any([parts.signal, AbortSignal.timeout(timeoutMs)]),
  })) as { epoch: Epoch; role: Role; grant?: { ttlMs: number } };
  if (reply.grant) holder.granted(token, { epoch: reply.epoch, role: reply.role, ttlMs: reply.grant.ttlMs });
  else holder.observe(reply.epoch, reply.role);
}

/**
 * Databricks obeys no lease, so the site's own process holds its schedules: at once when it is told that it is fenced or
 * standby, and when its lease has been gone for a whole ttl. What it held itself it releases when the same epoch's
 * lease is back.
 */
async function holdOwnSchedules(parts: Omit<Parts, 'state'> & { signal: AbortSignal }): Promise<void> {
  const { options, holder, signal } = parts;
  /** Job → the epoch under which its schedule was held. */
  const heldByLapse = new Map<string, string>();
  let lapsedSinceMs: number | undefined;
  while (!signal.aborted) {
    const known = holder.state();
    const now = options.clock.monotonicMs();
    if (known.phase === 'heard' && known.lease === 'lapsed') lapsedSinceMs ??= now;
    else lapsedSinceMs = undefined;
    const told = known.phase === 'heard' && known.role !== 'active';
    const lapsed = lapsedSinceMs !== undefined && now - lapsedSinceMs > options.leaseTtlMs;
    try {
      if (told || lapsed) await holdAll(parts, { heldByLapse, lapsed: !told });
      else if (holder.mayAct(holdTimeoutMs / 100) && heldByLapse.size > 0) await releaseHeld(parts, heldByLapse);
    } catch (error) {
      if (!signal.aborted) options.log({ level: 'warn', code: 'schedules-unreachable', message: describeError(error) });
    }
    if (told) heldByLapse.clear();
    await options.clock.sleep(holdEveryMs, signal).catch(() => undefined);
  }
}

async function holdAll(
  parts: Omit<Parts, 'state'> & { signal: AbortSignal },
  why: { heldByLapse: Map<string, string>; lapsed: boolean },
): Promise<void> {
  const { options, signal } = parts;
  const reading = { signal: AbortSignal.any([signal, AbortSignal.timeout(holdTimeoutMs)]) };
  for (const schedule of await options.schedules.schedules(options.site, reading)) {
    if (schedule.paused) continue;
    await options.schedules.hold(options.site, schedule.job, reading);
    const epoch = epochOf(parts.holder);
    if (why.lapsed && epoch) why.heldByLapse.set(schedule.job, formatEpoch(epoch));
    options.log({ level: 'info', code: 'schedule-held', message: `${schedule.job} held at ${options.site}` });
  }
}

async function releaseHeld(
  parts: Omit<Parts, 'state'> & { signal: AbortSignal },
  held: Map<string, string>,
): Promise<void> {
  const { options, holder, signal } = parts;
  const epoch = epochOf(holder);
  if (!epoch) return;
  for (const [job, underEpoch] of held) {
    if (underEpoch !== formatEpoch(epoch)) {
      held.delete(job); // the role has moved since: releasing is a run's business
      continue;
    }
    await options.schedules.release(options.site, job, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(holdTimeoutMs)]),
      epoch,
      act: `site/${options.site}/release/${job}`,
      assertMayAct(deadlineMs) {
        if (!holder.mayAct(deadlineMs)) throw new Failure('ACT_FENCED', `${options.site} holds no lease that lasts`);
      },
    });
    held.delete(job);
  }
}

// ---- what the controller asks --------------------------------------------------------------------------------------

async function answer(incoming: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  try {
    const principal = await parts.options.verifier.verify(incoming.headers.authorization);
    if (principal.kind !== 'control') throw new Failure('FORBIDDEN', 'only the controller may ask this');
    const body = incoming.method === 'POST' ? await readJson(incoming) : undefined;
    const url = new URL(incoming.url ?? '/', 'http://site');
    const signal = closedSignal(response);
    respond(response, 200, await dispatch(`${incoming.method} ${url.pathname}`, { body, signal, ...parts }));
  } catch (error) {
    respond(response, statuses[codeOf(error)] ?? 500, errorBody(error));
  }
}

async function dispatch(call: string, parts: Parts & { body: unknown; signal: AbortSignal }): Promise<unknown> {
  const { options, holder } = parts;
  switch (call) {
    case 'GET /understudy/state':
      return parts.state();
    case 'POST /understudy/probe': {
      const what = isRecord(parts.body) ? parts.body['what'] : undefined;
      if (what !== 'egress' && what !== 'identity') throw new Failure('BAD_REQUEST', 'what: egress or identity');
      return options.probe(what, parts.signal);
    }
    case 'POST /understudy/authority': {
      const parsed = authorityBody.safeParse(parts.body);
      if (!parsed.success) throw new Failure('BAD_REQUEST', z.prettifyError(parsed.error));
      const authority: Authority = parsed.data;
      holder.observe(authority.epoch, authority.roles[options.site]);
      return { epoch: epochOf(holder) ?? null, mayAct: holder.mayAct() };
    }
    case 'POST /understudy/flush':
      await options.flush(parts.signal);
      return {};
    default:
      throw new Failure('NOT_FOUND', `there is no ${call}`);
  }
}

function closedSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.on('close', () => gone.abort(new Failure('CALLER_GONE', 'the caller is gone')));
  return gone.signal;
}

async function readJson(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bodyBytesMax) throw new Failure('BAD_REQUEST', `the body is over ${bodyBytesMax} bytes`);
    chunks.push(chunk);
  }
  const parsed = tryParseJson(Buffer.concat(chunks).toString('utf8') || '{}');
  if (!parsed.ok) throw new Failure('BAD_REQUEST', `the body is not JSON: ${parsed.message}`);
  return parsed.value;
}

function respond(response: ServerResponse, status: number, value: unknown): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}
