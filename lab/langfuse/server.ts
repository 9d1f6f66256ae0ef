// The lab's Langfuse: a server 4.16 in `events_only` write mode, on the kit's vendor server. It refuses what the real one
// refuses, and answers with the recorded statuses and shapes (see test/fixtures/langfuse).

import type { IncomingMessage, ServerResponse } from 'node:http';
import { tryParseJson } from '#base';
import { sendJson, startVendor, type RunningVendor, type VendorCall } from '../kit/mod.ts';
import { authenticate, requireProjectAccess, type Caller, type LangfuseProject } from './authentication.ts';
import { ingestionBytesMax } from './ingestion.ts';
import { labSpans } from './lab-spans.ts';
import { PromptStore } from './prompt-store.ts';
import { LangfuseError, methodNotAllowed, sendError, sendHtmlNotFound, sendText } from './reply.ts';
import { routes, type Route, type Stores } from './routes.ts';
import { ScoreStore } from './scores.ts';
import { SpanStore } from './span-store.ts';

export interface LangfuseOptions {
  readonly name: string;
  /** 0 for any free port. */
  readonly port: number;
  /** SQLite file; `:memory:` in unit tests. */
  readonly dataFile: string;
  readonly projects: readonly LangfuseProject[];
  /** How the server writes: only the default of v4 exists so far. */
  readonly mode: 'events_only';
  /** Time from the 200 until rows can be read, ms. Default 200. */
  readonly settleMs?: number;
}

export function startLangfuse(options: LangfuseOptions): Promise<RunningVendor> {
  return startVendor({
    name: options.name,
    port: options.port,
    dataFile: options.dataFile,
    labRoutes: { '/_lab/spans': (url, { ledger }) => labSpans(url, ledger.database) },
    handler: ({ ledger }) => {
      const stores: Stores = {
        store: new SpanStore(ledger.database),
        prompts: new PromptStore(ledger.database),
        scores: new ScoreStore(ledger.database),
        settleMs: options.settleMs ?? 200,
      };
      return (request, response, call) => answer(request, response, { call, stores, projects: options.projects });
    },
  });
}

interface Parts {
  readonly call: VendorCall;
  readonly stores: Stores;
  readonly projects: readonly LangfuseProject[];
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  try {
    await dispatch(request, response, parts);
  } catch (error) {
    if (error instanceof LangfuseError) return sendError(response, error);
    if (error instanceof BodyError) return sendBodyError(request, response, error);
    throw error;
  }
}

async function dispatch(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  const { call, stores } = parts;
  for (const route of routes) {
    const match = route.path.exec(call.url.pathname);
    if (!match) continue;
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    const handle = route.methods[request.method ?? ''];
    if (!handle) throw methodNotAllowed();
    const caller = callerOf(request, route, parts);
    call.principal(caller.project.publicKey);
    const path = match.slice(1).map((part) => decodeURIComponent(part));
    await handle({ request, response, call, caller, stores, path, json: () => readJson(call) });
    return;
  }
  if (call.url.pathname === '/') return sendJson(response, 200, {});
  sendHtmlNotFound(response);
}

const anyone: Caller = { project: { id: '', name: '', publicKey: '', secretKey: '' }, access: 'scores' };

function callerOf(request: IncomingMessage, route: Route, parts: Parts): Caller {
  if (route.access === 'open') return anyone;
  const caller = authenticate(request, parts.projects, { named: route.namedErrors });
  if (route.access === 'project') requireProjectAccess(caller);
  return caller;
}

/** What the web framework's body parser answers before the route runs. */
class BodyError extends Error {
  readonly status: 400 | 413;

  constructor(status: 400 | 413, text: string) {
    super(text);
    this.status = status;
  }
}

async function readJson(call: VendorCall): Promise<unknown> {
  const body = await call.body();
  if (body.length > ingestionBytesMax) throw new BodyError(413, 'Body exceeded 4.5mb limit');
  if (body.length === 0) return undefined;
  const parsed = tryParseJson(body.toString('utf8'));
  if (!parsed.ok) throw new BodyError(400, 'Invalid JSON');
  return parsed.value;
}

/** After a 413 the real server cuts the connection: whoever reuses it sees a reset. */
function sendBodyError(request: IncomingMessage, response: ServerResponse, error: BodyError): void {
  if (error.status === 413) response.on('finish', () => request.socket.destroySoon());
  sendText(response, error.status, error.message);
}
