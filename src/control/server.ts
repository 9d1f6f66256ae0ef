// The control API: every call authenticated, every body checked, one error shape.

import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { codeOf, Failure } from '#base';
import type { LeaseGrantor } from '#ledger';
import type { ApprovalStatement, RunLog, Signed, World } from '#run';
import { errorBody } from './http.ts';
import type { Operations } from './operations.ts';
import { summaryOf } from './seal-run.ts';
import { statusOf } from './status.ts';
import type { Principal, TokenVerifier } from './tokens.ts';
import { heartbeatKey } from './world.ts';

export interface ControlServerOptions {
  readonly operations: Operations;
  readonly world: World;
  readonly grantor: LeaseGrantor;
  readonly verifier: TokenVerifier;
  readonly recordCanary: (signal: AbortSignal) => Promise<unknown>;
}

const acceptList = z.array(z.strictObject({ job: z.string().min(1), reason: z.string().min(8) }));
const startBody = z.strictObject({
  kind: z.enum(['drill', 'switchover', 'failover', 'failback']),
  reason: z.string().min(3),
  incidentAtMs: z.number().int().positive().optional(),
  accept: acceptList.optional(),
});
const leaseBody = z.strictObject({
  epoch: z.strictObject({ generation: z.int(), number: z.int() }).nullable(),
  telemetry: z.record(z.string(), z.json()),
});
const approvalBody = z.strictObject({
  person: z.string(),
  signature: z.string(),
  statement: z.strictObject({
    run: z.string(),
    planHash: z.string(),
    epoch: z.string(),
    decision: z.enum(['approve', 'reject']),
    expiresAtMs: z.number(),
    comment: z.string(),
    override: z.string().optional(),
  }),
});
const resumeBody = z.strictObject({ accept: acceptList.default([]) });
const abortBody = z.strictObject({ reason: z.string().min(3) });
const syncBody = z.strictObject({ recordCanary: z.boolean().default(false) });

const statuses: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  BAD_REQUEST: 400,
  RUN_UNKNOWN: 404,
  LEDGER_CONFLICT: 409,
};

export function controlServer(options: ControlServerOptions): FastifyInstance {
  const { operations, world } = options;
  const server = Fastify({ bodyLimit: 1_048_576, logger: false });
  server.setErrorHandler((error, _request, reply) => {
    const failure = error instanceof Failure ? error : asFailure(error);
    void reply
      .status(statuses[codeOf(failure)] ?? (failure.code === 'UNEXPECTED' ? 500 : 409))
      .send(errorBody(failure));
  });
  server.setNotFoundHandler((request, reply) => {
    const failure = new Failure('NOT_FOUND', `there is no ${request.method} ${request.url}`);
    void reply.status(404).send(errorBody(failure));
  });

  const who = (request: FastifyRequest): Promise<Principal> => options.verifier.verify(request.headers.authorization);
  const person = async (request: FastifyRequest): Promise<string> => {
    const principal = await who(request);
    if (principal.kind !== 'person') throw new Failure('FORBIDDEN', 'only a person may ask this');
    return principal.id;
  };

  server.get('/livez', () => ({ live: true }));

  server.post<{ Params: { site: string } }>('/api/sites/:site/lease', async (request) => {
    const principal = await who(request);
    if (principal.kind !== 'site' || principal.id !== request.params.site) {
      throw new Failure('FORBIDDEN', 'only the site itself may renew its lease');
    }
    const body = parse(leaseBody, request.body);
    const renewal = await options.grantor.renew(principal.id, body.epoch ?? undefined);
    await keepHeartbeat(world, principal.id, body.telemetry);
    return renewal;
  });

  server.get('/api/status', async (request) => {
    await person(request);
    return statusOf(world, await operations.runs(), AbortSignal.timeout(10_000));
  });
  server.get('/api/drift', async (request) => {
    await person(request);
    return operations.drift();
  });
  server.post('/api/sync', async (request) => {
    const by = await person(request);
    const body = parse(syncBody, request.body ?? {});
    const report = await operations.sync(by);
    if (!body.recordCanary) return { ...report, canary: null };
    return { ...report, canary: await options.recordCanary(AbortSignal.timeout(180_000)) };
  });
  server.get('/api/runs', async (request) => {
    await person(request);
    return (await operations.runs()).map((state) => ({
      ...summaryOf(state),
      phase: state.phase,
      openedAtMs: state.openedAtMs,
    }));
  });
  server.post('/api/runs', async (request) => {
    const by = await person(request);
    const { incidentAtMs, accept, ...body } = parse(startBody, request.body);
    const state = await operations.start({
      ...body,
      by,
      ...(incidentAtMs === undefined ? {} : { incidentAtMs }),
      ...(accept === undefined ? {} : { accept }),
    });
    return runView(await operations.log(state.run));
  });
  server.get<{ Params: { run: string } }>('/api/runs/:run', async (request) => {
    await person(request);
    return runView(await operations.log(request.params.run));
  });
  server.post<{ Params: { run: string } }>('/api/runs/:run/approvals', async (request) => {
    const by = await person(request);
    const signed = parse(approvalBody, request.body) as unknown as Signed<ApprovalStatement>;
    await operations.approve(request.params.run, by, signed);
    return runView(await operations.log(request.params.run));
  });
  server.post<{ Params: { run: string } }>('/api/runs/:run/resume', async (request) => {
    const by = await person(request);
    await operations.resume(request.params.run, by, parse(resumeBody, request.body ?? {}).accept);
    return runView(await operations.log(request.params.run));
  });
  server.post<{ Params: { run: string } }>('/api/runs/:run/abort', async (request) => {
    const by = await person(request);
    await operations.abort(request.params.run, by, parse(abortBody, request.body).reason);
    return runView(await operations.log(request.params.run));
  });
  return server;
}

/** A run as people and programs see it. */
export function runView(log: RunLog): Readonly<Record<string, unknown>> {
  const { state } = log;
  return {
    ...state,
    summary: summaryOf(state),
    acts: log.events.filter((event) => event.type === 'act-announced').map((event) => event.body),
  };
}

async function keepHeartbeat(world: World, site: 'home' | 'partner', telemetry: unknown): Promise<void> {
  const key = heartbeatKey(site);
  const cell = await world.ledger.get(key);
  const value = { atMs: world.clock.wallMs(), telemetry };
  try {
    await world.ledger.put(key, JSON.parse(JSON.stringify(value)) as never, cell?.version ?? 0);
  } catch (error) {
    // Two renewals of one site overlapped; the other's report is as fresh as this one.
    if (codeOf(error) !== 'LEDGER_CONFLICT') throw error;
  }
}

function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Failure('BAD_REQUEST', z.prettifyError(parsed.error));
  return parsed.data;
}

function asFailure(error: unknown): Failure {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  const message = error instanceof Error ? error.message : 'unexpected';
  return new Failure(status >= 400 && status < 500 ? 'BAD_REQUEST' : 'UNEXPECTED', message, { cause: error });
}
