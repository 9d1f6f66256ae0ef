// Puts the gateway together: the server, its limits, its state for views, and how it closes.

import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { codeOf, Failure } from '#base';
import { Core } from './core.ts';
import { envelope, errors, type ApiError } from './errors.ts';
import type { Gateway, GatewayOptions, GatewayState } from './port.ts';
import { answerRequest } from './surface.ts';

/** A request, body included, must be here within this time. */
const requestTimeoutMs = 60_000;
const headersTimeoutMs = 15_000;
/** Longer than the front door keeps its idle connections, so that it never writes into one that we close. */
const keepAliveTimeoutMs = 120_000;
const connectionsPerRequestMax = 4;

export function createGateway(options: GatewayOptions): Gateway {
  const core = new Core(options);
  let server: Server | undefined;
  return {
    async listen() {
      if (server) throw new Failure('GATEWAY_PORT', 'the gateway is listening already');
      server = makeServer(core);
      return listen(server, options);
    },
    handle: (request, response) => void answerRequest(core, request, response),
    state: () => stateOf(core),
    close: (drainMs) => close(core, server, drainMs),
  };
}

function makeServer(core: Core): Server {
  const server = createServer(
    {
      requestTimeout: requestTimeoutMs,
      headersTimeout: headersTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      noDelay: true,
    },
    (request: IncomingMessage, response: ServerResponse) => void answerRequest(core, request, response),
  );
  server.maxConnections = core.options.stamp.gateway.concurrencyMax * connectionsPerRequestMax;
  server.on('clientError', (error, socket) => refuseRaw(error, socket));
  return server;
}

/** What is not even HTTP still gets the envelope. */
function refuseRaw(error: Error, socket: Duplex): void {
  const code = codeOf(error);
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const body = envelope(rawError(code));
  const { status } = rawError(code);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json; charset=utf-8\r\n`;
  socket.end(`${head}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body.toString('utf8')}`);
}

function rawError(code: string): ApiError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return errors.requestTimeout('The request did not arrive in time.');
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { ...errors.invalidHeader('The request headers are too large.'), status: 431 };
  }
  return errors.invalidBody('The request is not valid HTTP.');
}

async function listen(server: Server, options: GatewayOptions): Promise<{ url: string; port: number }> {
  const { host, port } = options.stamp.sites[options.site].gateway.listen;
  const wanted = options.port ?? port;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const hint = 'free the port, or change sites.*.gateway.listen in the stamp';
      reject(
        new Failure('GATEWAY_PORT', `cannot listen on ${host}:${wanted} (${codeOf(error)})`, { hint, cause: error }),
      );
    });
    server.listen(wanted, host, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`, port: taken };
}

function stateOf(core: Core): GatewayState {
  const { authority, site, journal } = core.options;
  const epoch = core.epoch();
  return {
    site,
    role: authority.role(),
    epoch: epoch === 'none' ? null : epoch,
    mode: core.mayOfferWrites() ? 'normal' : 'no-write',
    inflight: core.running.size,
    draining: core.closing !== undefined,
    routes: core.plan.routes.map(({ route, behavior }) => ({ id: route.id, behavior, mode: route.mode })),
    lanes: { production: core.lanes.production.state(), rehearsal: core.lanes.rehearsal.state() },
    turnedAway: Object.fromEntries(core.turnedAway),
    journal: journal.state(),
    journalGaps: core.journalGaps,
  };
}

/** Ends what runs in two steps: first by waiting, then by telling each client that its answer is not whole. */
async function close(core: Core, server: Server | undefined, drainMs: number): Promise<void> {
  const { clock } = core.options;
  const reason = new Failure('GATEWAY_CLOSING', 'the gateway is closing', { next: 'retry' });
  const closed = server?.listening ? new Promise<void>((resolve) => server.close(() => resolve())) : Promise.resolve();
  server?.closeIdleConnections();
  core.closing = reason;
  await settledWithin(core, drainMs);
  for (const deadline of core.running.values()) deadline?.abort(reason);
  await settledWithin(core, closingMs);
  await core.closePools();
  if (!server) return;
  // What has been written still leaves: sockets close after their last answer, or are cut after a moment.
  const cancel = clock.after(closingMs, () => server.closeAllConnections());
  server.closeIdleConnections();
  await closed;
  cancel();
}

/** After their deadlines are aborted, exchanges have this long to be recorded and told. */
const closingMs = 2_000;
const pollMs = 10;

async function settledWithin(core: Core, withinMs: number): Promise<void> {
  const { clock } = core.options;
  const untilMs = clock.monotonicMs() + withinMs;
  while (core.running.size > 0 && clock.monotonicMs() < untilMs) await clock.sleep(pollMs);
}
