// The HTTP side that all simulated vendors share: calls are written to the vendor's ledger, faults are injected, and
// `/_lab/…` lets the lab look and set faults. The handler speaks the vendor's own wire protocol.

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { z } from 'zod';
import { systemClock } from '#base';
import { Faults, faultSchema, type Fault } from './faults.ts';
import { VendorLedger } from './vendor-ledger.ts';

export interface VendorCall {
  readonly id: number;
  readonly url: URL;
  /** The whole request body; rejects with code `BODY_TOO_LARGE` over `bytesMax` (default 32 MiB). */
  body(bytesMax?: number): Promise<Buffer>;
  /** Says who asked, once the vendor has authenticated the call. */
  principal(name: string): void;
  /** Records that something took effect. */
  effect(type: string, key: string, detail?: Record<string, unknown>): void;
  /** The `special` fault of that name hitting this call. */
  special(name: string): (Fault & { kind: 'special' }) | undefined;
}

export type VendorHandler = (request: IncomingMessage, response: ServerResponse, call: VendorCall) => Promise<void>;

export interface VendorOptions {
  readonly name: string;
  readonly host?: string;
  /** 0 for any free port. */
  readonly port: number;
  /** SQLite file of the vendor: its ledger, and its own tables beside it. `:memory:` in unit tests. */
  readonly dataFile: string;
  /** PEM texts; with them the vendor speaks https. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly handler: (vendor: { ledger: VendorLedger; faults: Faults }) => VendorHandler;
  /** More of the vendor's truth under `GET /_lab/…`: path to a function that answers with a JSON value. */
  readonly labRoutes?: Readonly<Record<string, (url: URL, vendor: { ledger: VendorLedger }) => unknown>>;
}

export interface RunningVendor {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly ledger: VendorLedger;
  readonly faults: Faults;
  close(): Promise<void>;
}

export async function startVendor(options: VendorOptions): Promise<RunningVendor> {
  const ledger = new VendorLedger(options.dataFile);
  const faults = new Faults();
  const handler = options.handler({ ledger, faults });
  const listener: RequestListener = (request, response) => {
    void answer(request, response, { ledger, faults, handler, name: options.name, labRoutes: options.labRoutes ?? {} });
  };
  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host ?? '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    name: options.name,
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    ledger,
    faults,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      ledger.database.close();
    },
  };
}

interface Parts {
  readonly name: string;
  readonly ledger: VendorLedger;
  readonly faults: Faults;
  readonly handler: VendorHandler;
  readonly labRoutes: NonNullable<VendorOptions['labRoutes']>;
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://vendor');
  if (url.pathname.startsWith('/_lab/')) return answerLab(request, response, url, parts);
  const hitting = parts.faults.take(`${request.method} ${url.pathname}`);
  if (hitting.some((fault) => fault.kind === 'refuse')) {
    reset(request);
    return;
  }
  const epoch = headerOf(request, 'x-understudy-epoch');
  const id = parts.ledger.asked({
    atMs: systemClock.wallMs(),
    method: request.method ?? '',
    path: url.pathname,
    principal: '',
    epoch,
    act: headerOf(request, 'x-understudy-act'),
  });
  let principal = '';
  response.on('finish', () => parts.ledger.answered(id, { status: response.statusCode, principal }));
  if (hitting.some((fault) => fault.kind === 'black-hole')) {
    request.resume();
    return;
  }
  for (const fault of hitting) if (fault.kind === 'slow') await systemClock.sleep(fault.delayMs);
  for (const fault of hitting) {
    if (fault.kind !== 'status') continue;
    request.resume();
    response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
    response.end(fault.body);
    return;
  }
  if (hitting.some((fault) => fault.kind === 'lose-answer')) loseAnswer(request, response);
  const call: VendorCall = {
    id,
    url,
    body: (bytesMax) => readBody(request, bytesMax),
    principal: (name) => {
      principal = name;
    },
    effect: (type, key, detail = {}) =>
      parts.ledger.effect({ askedId: id, atMs: systemClock.wallMs(), type, key, epoch, detail }),
    special: (name) =>
      hitting.find((fault): fault is Fault & { kind: 'special' } => fault.kind === 'special' && fault.name === name),
  };
  try {
    await parts.handler(request, response, call);
  } catch (error) {
    process.stderr.write(`${parts.name}: ${error instanceof Error ? error.stack : String(error)}\n`);
    if (response.headersSent) response.destroy();
    else sendJson(response, 500, { error: 'the simulated vendor failed; see its log' });
  }
}

/** A TLS socket has no handle to reset; its client sees the connection end without an answer all the same. */
function reset({ socket }: IncomingMessage): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** Lets the handler do its work, then cuts the connection where the answer would begin. */
function loseAnswer(request: IncomingMessage, response: ServerResponse): void {
  const cut = (): ServerResponse => {
    reset(request);
    return response;
  };
  response.writeHead = cut;
  response.write = () => {
    cut();
    return false;
  };
  response.end = cut;
}

async function answerLab(request: IncomingMessage, response: ServerResponse, url: URL, parts: Parts): Promise<void> {
  const after = Number(url.searchParams.get('after') ?? 0);
  const type = url.searchParams.get('type');
  if (request.method === 'GET' && url.pathname === '/_lab/asked') {
    return sendJson(response, 200, parts.ledger.askedAfter(after));
  }
  if (request.method === 'GET' && url.pathname === '/_lab/effects') {
    return sendJson(response, 200, parts.ledger.effectsAfter(after, type === null ? {} : { type }));
  }
  if (request.method === 'GET' && url.pathname === '/_lab/faults') return sendJson(response, 200, parts.faults.list());
  if (request.method === 'PUT' && url.pathname === '/_lab/faults') {
    const parsed = z.array(faultSchema).safeParse(JSON.parse((await readBody(request)).toString('utf8')));
    if (!parsed.success) return sendJson(response, 400, { error: z.prettifyError(parsed.error) });
    parts.faults.replace(parsed.data);
    return sendJson(response, 200, parts.faults.list());
  }
  const labRoute = parts.labRoutes[url.pathname];
  if (request.method === 'GET' && labRoute) {
    try {
      return sendJson(response, 200, labRoute(url, { ledger: parts.ledger }));
    } catch (error) {
      return sendJson(response, 400, { error: error instanceof Error ? error.message : 'not understood' });
    }
  }
  sendJson(response, 404, { error: `the lab has no ${request.method} ${url.pathname}` });
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

export async function readBody(request: IncomingMessage, bytesMax = 33_554_432): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) throw Object.assign(new Error(`body over ${bytesMax} bytes`), { code: 'BODY_TOO_LARGE' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}
