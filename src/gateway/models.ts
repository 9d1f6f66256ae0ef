// GET /v1/models: the names this client may ask for.

import type { ServerResponse } from 'node:http';
import type { Client } from '#stamp';
import type { Core } from './core.ts';
import { errors } from './errors.ts';
import { sendError, sendJson } from './reply.ts';

interface Model {
  readonly id: string;
  readonly object: 'model';
  /** The interface wants a time; a route has none. */
  readonly created: 0;
  readonly owned_by: 'understudy';
}

export function sendModels(core: Core, response: ServerResponse, client: Client): void {
  sendJson(response, 200, { object: 'list', data: modelsOf(core, client) });
}

export function sendModel(core: Core, response: ServerResponse, options: { client: Client; id: string }): void {
  const found = modelsOf(core, options.client).find((model) => model.id === options.id);
  if (found) return sendJson(response, 200, found);
  const name = JSON.stringify(options.id.slice(0, 200));
  sendError(response, errors.modelNotFound(`The model ${name} is not served here.`, { param: 'model' }));
}

function modelsOf(core: Core, client: Client): Model[] {
  return core.plan.routes
    .filter((plan) => client.routes.includes(plan.route.id))
    .flatMap((plan) => plan.route.models)
    .map((id) => ({ id, object: 'model', created: 0, owned_by: 'understudy' }));
}
