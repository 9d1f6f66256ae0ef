// Azure Resource Manager for the front door's origin group: read, list and PATCH origins, with long-running operations.
// Shapes: Microsoft.Cdn 2025-06-01, and learn.microsoft.com/azure/azure-resource-manager/management/async-operations.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { equalInConstantTime, systemClock } from '#base';
import { sendJson, type VendorCall } from '../kit/mod.ts';
import type { Operation, Origin, OriginTables } from './origins.ts';

export interface ResourceManagerParts {
  readonly tables: OriginTables;
  /** Resource id of the origin group. */
  readonly originGroup: string;
  readonly token: string;
  readonly operationMs: number;
  /** Called when a change was accepted, to have it made in time. */
  accepted(operation: Operation): void;
}

const patchBody = z.object({
  properties: z.object({ enabledState: z.enum(['Enabled', 'Disabled']) }).loose(),
});

export async function answerResourceManager(
  request: IncomingMessage,
  response: ServerResponse,
  call: VendorCall,
  parts: ResourceManagerParts,
): Promise<void> {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (bearer === undefined) {
    return fail(response, 401, 'AuthenticationFailed', "Authentication failed. The 'Authorization' header is missing.");
  }
  if (!equalInConstantTime(bearer, parts.token)) {
    return fail(response, 401, 'InvalidAuthenticationToken', 'The access token is invalid.');
  }
  call.principal('resource-manager-client');
  const version = call.url.searchParams.get('api-version');
  if (version === null) {
    const text = 'The api-version query parameter (?api-version=) is required for all requests.';
    return fail(response, 400, 'MissingApiVersionParameter', text);
  }
  if (version !== '2025-06-01') {
    const text = `No registered resource provider found for API version '${version}' of type 'profiles/originGroups/origins'. The supported api-versions are '2025-06-01'.`;
    return fail(response, 400, 'NoRegisteredProviderFound', text);
  }
  return route(request, response, call, parts);
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  call: VendorCall,
  parts: ResourceManagerParts,
): Promise<void> {
  const { pathname } = call.url;
  const results = `${provider(parts.originGroup)}/operationresults/`;
  if (request.method === 'GET' && startsWith(pathname, results)) {
    return answerOperation(response, pathname.slice(results.length), parts);
  }
  const list = `${parts.originGroup}/origins`;
  if (request.method === 'GET' && pathname.toLowerCase() === list.toLowerCase()) {
    return sendJson(response, 200, { value: parts.tables.origins().map((origin) => shape(origin, parts)) });
  }
  const origin = startsWith(pathname, `${list}/`) ? parts.tables.origin(pathname.slice(list.length + 1)) : undefined;
  if (!origin) return fail(response, 404, 'ResourceNotFound', `The Resource '${pathname}' was not found.`);
  if (request.method === 'GET') return sendJson(response, 200, shape(origin, parts));
  if (request.method === 'PATCH') return patch(request, response, call, { ...parts, origin });
  return fail(response, 405, 'MethodNotAllowed', `The HTTP method '${request.method}' is not supported here.`);
}

async function patch(
  request: IncomingMessage,
  response: ServerResponse,
  call: VendorCall,
  parts: ResourceManagerParts & { origin: Origin },
): Promise<void> {
  const body = patchBody.safeParse(jsonOf((await call.body(65_536)).toString('utf8')));
  if (!body.success) return fail(response, 400, 'BadRequest', z.prettifyError(body.error));
  const { origin, tables } = parts;
  if (tables.pending().some((operation) => operation.origin === origin.name)) {
    return fail(response, 409, 'Conflict', `Another operation is in progress on origin ${origin.name}.`);
  }
  const epoch = request.headers['x-understudy-epoch'];
  const operation = tables.begin({
    origin: origin.name,
    state: body.data.properties.enabledState,
    dueAtMs: systemClock.wallMs() + parts.operationMs,
    askedId: call.id,
    epoch: typeof epoch === 'string' ? epoch : null,
  });
  parts.accepted(operation);
  const url = `http://${request.headers.host ?? '127.0.0.1'}${provider(parts.originGroup)}/operationresults/${operation.id}?api-version=2025-06-01`;
  sendJson(response, 202, shape(origin, parts, 'Updating'), {
    'azure-asyncoperation': url,
    location: url,
    'retry-after': '1',
  });
}

function answerOperation(response: ServerResponse, id: string, parts: ResourceManagerParts): void {
  const operation = parts.tables.operation(id);
  if (!operation) return fail(response, 404, 'ResourceNotFound', `The operation '${id}' was not found.`);
  if (operation.done === 1) return sendJson(response, 200, { name: id, status: 'Succeeded' });
  sendJson(response, 200, { name: id, status: 'InProgress' }, { 'retry-after': '1' });
}

function shape(origin: Origin, parts: ResourceManagerParts, provisioningState = 'Succeeded'): Record<string, unknown> {
  const url = new URL(origin.url);
  return {
    id: `${parts.originGroup}/origins/${origin.name}`,
    name: origin.name,
    type: 'Microsoft.Cdn/profiles/origingroups/origins',
    properties: {
      originGroupName: parts.originGroup.split('/').at(-1),
      hostName: url.hostname,
      httpPort: Number(url.port || 80),
      httpsPort: 443,
      originHostHeader: url.hostname,
      priority: 1,
      weight: 1_000,
      enabledState: origin.enabledState,
      enforceCertificateNameCheck: true,
      provisioningState,
      deploymentStatus: 'NotStarted',
    },
  };
}

/** `/subscriptions/{s}/…/providers/Microsoft.Cdn` of the origin group's id. */
function provider(originGroup: string): string {
  return originGroup.slice(0, originGroup.indexOf('/profiles/'));
}

function startsWith(path: string, prefix: string): boolean {
  return path.toLowerCase().startsWith(prefix.toLowerCase()); // Resource ids are case-insensitive.
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, { error: { code, message } });
}
