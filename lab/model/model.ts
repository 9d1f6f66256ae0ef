// A simulated model endpoint that speaks OpenAI's chat protocol: `POST /v1/chat/completions`, `GET /v1/models`. It
// refuses what OpenAI refuses, and its ledger says which completions it served, for whom, and how each ended.

import { randomHex, systemClock, systemRandomness } from '#base';
import { sendJson, startVendor, type RunningVendor } from '../kit/mod.ts';
import { complete, replyBody, type Completion } from './completion.ts';
import { Refusal, serverError } from './errors.ts';
import {
  authenticate,
  headersOf,
  recordCompletion,
  refuse,
  wrongMethod,
  type Exchange,
  type ModelOptions,
} from './exchange.ts';
import { troubleOf } from './faults.ts';
import { readChatRequest } from './request.ts';
import { sendStream } from './stream.ts';

export function startModel(options: ModelOptions): Promise<RunningVendor> {
  return startVendor({
    name: options.name,
    port: options.port,
    dataFile: options.dataFile,
    handler: () => async (request, response, call) => {
      const exchange: Exchange = {
        request,
        response,
        call,
        options,
        id: randomHex(16, systemRandomness),
        startedMs: systemClock.monotonicMs(),
      };
      try {
        await route(exchange);
      } catch (error) {
        if (response.headersSent || response.destroyed) response.destroy();
        else refuse(exchange, error);
      }
    },
  });
}

async function route(exchange: Exchange): Promise<void> {
  const path = exchange.call.url.pathname;
  const method = exchange.request.method ?? '';
  authenticate(exchange);
  if (path === '/v1/chat/completions') {
    if (method !== 'POST') throw wrongMethod(method, path);
    return chat(exchange);
  }
  const model = /^\/v1\/models(?:\/([^/]+))?$/.exec(path);
  if (!model) throw new Refusal(404, { message: `Invalid URL (${method} ${path})` });
  if (method !== 'GET') throw wrongMethod(method, path);
  exchange.request.resume();
  listModels(exchange, model[1] === undefined ? undefined : decodeURIComponent(model[1]));
}

function listModels(exchange: Exchange, id: string | undefined): void {
  const { models, region } = exchange.options;
  const view = (model: string): unknown => ({ id: model, object: 'model', created: 1_735_689_600, owned_by: region });
  if (id === undefined) {
    sendJson(exchange.response, 200, { object: 'list', data: models.map(view) }, headersOf(exchange));
    return;
  }
  if (!models.includes(id)) {
    throw new Refusal(404, { message: `The model '${id}' does not exist`, param: 'model', code: 'model_not_found' });
  }
  sendJson(exchange.response, 200, view(id), headersOf(exchange));
}

async function chat(exchange: Exchange): Promise<void> {
  const { options, response, call } = exchange;
  const body = await call.body();
  const request = readChatRequest(body, {
    models: options.models,
    contextTokensMax: options.contextTokensMax ?? 128_000,
  });
  if ((options.firstByteMs ?? 0) > 0) await systemClock.sleep(options.firstByteMs ?? 0);
  const completion = complete(request, {
    id: exchange.id,
    manner: options.manner ?? 'terse',
    wallMs: systemClock.wallMs(),
  });
  const record = (end: string): void => recordCompletion(exchange, { request, completion, end });
  const errorInside = call.special('error-in-200') !== undefined;
  if (response.destroyed) return record('client-gone');
  if (!request.stream) {
    if (errorInside) return sendJson(response, 200, serverError, headersOf(exchange));
    return sendWhole(exchange, completion, record);
  }
  if (errorInside) {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', ...headersOf(exchange) });
    response.end(`data: ${JSON.stringify(serverError)}\n\n`);
    return;
  }
  await sendStream(response, completion, {
    includeUsage: request.includeUsage,
    trouble: troubleOf(call),
    intervalMs: options.tokenIntervalMs ?? 0,
    headers: headersOf(exchange),
    ended: record,
  });
}

function sendWhole(exchange: Exchange, completion: Completion, record: (end: string) => void): void {
  const text = JSON.stringify(replyBody(completion));
  const headers = { 'content-type': 'application/json', ...headersOf(exchange) };
  if (exchange.call.special('cut-stream')) {
    record('cut');
    exchange.response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(text) });
    exchange.response.write(text.slice(0, text.length / 2), () => exchange.request.socket.destroy());
    return;
  }
  record('finished');
  exchange.response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(text) });
  exchange.response.end(text);
}
