// A simulated Databricks workspace: workspace objects, Jobs 2.2, cluster policies and SCIM Me over the real wire protocol,
// with schedules that really fire. It refuses what the real one refuses, with its status and body shape.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf, sha256, systemClock, type Clock } from '#base';
import { startVendor, type RunningVendor, type VendorCall } from '../kit/mod.ts';
import { parsedBody, type Operations, type Workspace } from './api.ts';
import { ApiError, malformed } from './errors.ts';
import { formatExact } from './json.ts';
import { jobOperations } from './jobs-api.ts';
import { policyOperations } from './policies-api.ts';
import { runOperations } from './runs-api.ts';
import { Runs } from './runs.ts';
import { Store } from './store.ts';
import { foundingDirectories, makeDirectory, workspaceOperations } from './workspace-api.ts';

export interface DatabricksOptions {
  readonly name: string;
  readonly host?: string;
  readonly port: number;
  readonly dataFile: string;
  /** Personal access token → the principal it stands for. */
  readonly tokens: Readonly<Record<string, string>>;
  /** Ids are made from it, so that no id of one workspace means anything in another. Default: made from the name. */
  readonly workspaceId?: string;
  readonly clock?: Clock;
  /** How long a run executes. Default 300. */
  readonly runMs?: number;
}

export interface RunningDatabricks extends RunningVendor {
  readonly workspaceId: string;
}

/** The largest request: 10 MB of content in base64, and its envelope. */
const bodyBytesMax = 16 * 1024 * 1024;

const operations: Operations = {
  ...workspaceOperations,
  ...jobOperations,
  ...runOperations,
  ...policyOperations,
  'GET /api/2.0/preview/scim/v2/Me': ({ principal }) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
    id: BigInt(`0x${sha256(principal).slice(0, 13)}`).toString(),
    userName: principal,
    displayName: principal,
    active: true,
  }),
};

export async function startDatabricks(options: DatabricksOptions): Promise<RunningDatabricks> {
  const clock = options.clock ?? systemClock;
  const workspaceId = options.workspaceId ?? BigInt(`0x${sha256(options.name).slice(0, 13)}`).toString();
  let runs: Runs | undefined;
  let closing: Promise<void> | undefined;
  const vendor = await startVendor({
    name: options.name,
    port: options.port,
    dataFile: options.dataFile,
    ...(options.host === undefined ? {} : { host: options.host }),
    handler: ({ ledger }) => {
      const store = new Store(ledger.database, workspaceId);
      if (!store.object('/')) for (const path of foundingDirectories) makeDirectory(store, path, clock.wallMs());
      runs = new Runs({ store, ledger, clock, runMs: options.runMs ?? 300 });
      const workspace: Workspace = { store, runs, clock };
      return (request, response, call) => answer({ request, response, call, workspace, tokens: options.tokens });
    },
  });
  runs?.resume();
  return {
    ...vendor,
    workspaceId,
    close() {
      runs?.stop();
      closing ??= vendor.close();
      return closing;
    },
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: VendorCall;
  readonly workspace: Workspace;
  readonly tokens: Readonly<Record<string, string>>;
}

async function answer(exchange: Exchange): Promise<void> {
  const { request, response, call, workspace } = exchange;
  try {
    const principal = principalOf(request.headers.authorization, exchange.tokens);
    call.principal(principal);
    const name = `${request.method} ${call.url.pathname}`;
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
    if (!operation) throw new ApiError(404, 'ENDPOINT_NOT_FOUND', `No API found for '${name}'`);
    const body = parsedBody(request.method === 'GET' ? '' : await bodyText(call));
    const effect = call.effect.bind(call);
    const result = workspace.store.transaction(() =>
      operation({ ...workspace, principal, query: call.url.searchParams, body, effect }),
    );
    send(response, 200, result);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    request.resume();
    send(response, error.status, { error_code: error.errorCode, message: error.message });
  }
}

/** 401 without a credential, 403 with a wrong one; the code of both is the bare status, as the real gateway sends it. */
function principalOf(authorization: string | undefined, tokens: Readonly<Record<string, string>>): string {
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
  if (token === undefined) {
    throw new ApiError(401, 401, 'Credential was not sent or was of an unsupported type for this API.');
  }
  const principal = Object.hasOwn(tokens, token) ? tokens[token] : undefined;
  if (principal === undefined) throw new ApiError(403, 403, 'Invalid access token.');
  return principal;
}

async function bodyText(call: VendorCall): Promise<string> {
  try {
    return (await call.body(bodyBytesMax)).toString('utf8');
  } catch (error) {
    if (codeOf(error) === 'BODY_TOO_LARGE') throw malformed('Request body is too large');
    throw error;
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = formatExact(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
