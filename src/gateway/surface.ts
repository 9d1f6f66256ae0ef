// The HTTP surface: which path and method go where. Whatever happens, a client gets the OpenAI envelope.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf, describeError } from '#base';
import type { Client } from '#stamp';
import { answerChat } from './chat.ts';
import type { Core } from './core.ts';
import { errors } from './errors.ts';
import { sendModel, sendModels } from './models.ts';
import { sendError, sendJson } from './reply.ts';

/** Answers one request; never rejects. */
export async function answerRequest(core: Core, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.on('error', () => undefined);
  try {
    await dispatch(core, request, response, (request.url ?? '/').split('?', 1)[0] ?? '/');
  } catch (error) {
    if (request.destroyed && !request.complete) return core.turnAway('client-left');
    const message = describeError(error);
    core.options.log({ level: 'error', code: 'request-failed', message, cause: codeOf(error) });
    sendError(response, errors.internal('The gateway failed on this request; the operator can see why.'));
  }
}

async function dispatch(core: Core, request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  const mount = core.options.mounts?.find((candidate) => path.startsWith(candidate.prefix));
  if (mount) return mount.handle(request, response);
  if (path === '/livez')
    return onlyMethods(request, response, ['GET', 'HEAD'], () => sendJson(response, 200, { alive: true }));
  if (path === '/readyz') return onlyMethods(request, response, ['GET', 'HEAD'], () => sendReadiness(core, response));
  if (path === '/v1/chat/completions') {
    return onlyMethods(request, response, ['POST'], () => admitted(core, request, response, path));
  }
  if (path === '/v1/models' || path.startsWith('/v1/models/')) {
    return onlyMethods(request, response, ['GET'], () => admitted(core, request, response, path));
  }
  core.turnAway('unknown-path');
  sendError(response, errors.unknownPath(`Unknown request URL: ${request.method} ${path.slice(0, 200)}.`));
}

async function onlyMethods(
  request: IncomingMessage,
  response: ServerResponse,
  allowed: readonly string[],
  answer: () => void | Promise<void>,
): Promise<void> {
  if (allowed.includes(request.method ?? '')) return answer();
  const message = `${request.method} is not allowed here; use ${allowed.join(' or ')}.`;
  sendError(response, errors.wrongMethod(message, { headers: { allow: allowed.join(', ') } }));
}

async function admitted(core: Core, request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  if (core.closing) return sendError(response, errors.closing('The gateway is closing.', { waitMs: 1_000 }));
  const { concurrencyMax } = core.options.stamp.gateway;
  if (core.running.size >= concurrencyMax) {
    core.turnAway('overloaded');
    const message = `More than ${concurrencyMax} requests are under way.`;
    return sendError(response, errors.overloaded(message, { waitMs: 1_000 }));
  }
  const known = core.authenticate(request.headers);
  if (!known.ok) {
    core.turnAway('unauthenticated');
    return sendError(response, known.error);
  }
  core.running.set(response, undefined);
  try {
    await answerKnown(core, request, response, { client: known.client, path });
  } finally {
    core.running.delete(response);
  }
}

async function answerKnown(
  core: Core,
  request: IncomingMessage,
  response: ServerResponse,
  known: { readonly client: Client; readonly path: string },
): Promise<void> {
  const { client, path } = known;
  if (path === '/v1/chat/completions') return answerChat(core, request, response, client);
  if (path === '/v1/models') return sendModels(core, response, client);
  sendModel(core, response, { client, id: decoded(path.slice('/v1/models/'.length)) });
}

/** Not ready only while the ledger has told that another site is to answer. A lapsed lease never takes this one out. */
function sendReadiness(core: Core, response: ServerResponse): void {
  const role = core.options.authority.role();
  const ready = role === 'active' || role === 'unknown';
  sendJson(response, ready ? 200 : 503, { ready, role, site: core.options.site, epoch: core.epoch() });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
