// An upstream that does what a test tells it to, call by call, and keeps what it was asked.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AskedCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Record<string, unknown>;
  /** Resolves when the connection of this call has closed. */
  readonly closed: Promise<void>;
}

export type Reply = (response: ServerResponse, call: AskedCall, request: IncomingMessage) => void | Promise<void>;

export interface ScriptedUpstream {
  readonly url: string;
  readonly calls: AskedCall[];
  /** Replies of the next calls, in order; after them `otherwise` answers. */
  next(...replies: Reply[]): void;
  otherwise(reply: Reply): void;
  close(): Promise<void>;
}

export async function startScriptedUpstream(): Promise<ScriptedUpstream> {
  const calls: AskedCall[] = [];
  const script: Reply[] = [];
  let fallback: Reply = complete('hello');
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString('utf8');
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      response.once('close', resolve);
      const body = JSON.parse(text === '' ? '{}' : text) as Record<string, unknown>;
      const call: AskedCall = { path: request.url ?? '', headers: request.headers, text, body, closed };
      calls.push(call);
      await (script.shift() ?? fallback)(response, call, request);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    next: (...replies) => void script.push(...replies),
    otherwise(reply) {
      fallback = reply;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const base = { id: 'chatcmpl-1', created: 1, model: 'gpt-test', system_fingerprint: 'fp_1' };
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 1 } };

/** Answers as asked: a completion, or a stream of it in as many pieces as it has words. */
export function complete(text: string, headers: Record<string, string> = {}): Reply {
  return (response, call) => {
    if (call.body['stream'] !== true) return sendCompletion(response, text, headers);
    response.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
    response.end(streamOf(text).join(''));
  };
}

function sendCompletion(response: ServerResponse, text: string, headers: Record<string, string>): void {
  const choices = [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }];
  response.writeHead(200, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ ...base, object: 'chat.completion', choices, usage }));
}

export function chunkEvent(delta: object, finishReason: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finishReason }];
  return `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices })}\n\n`;
}

export const roleEvent = chunkEvent({ role: 'assistant', content: '' });
export const finishEvent = chunkEvent({}, 'stop');
export const usageEvent = `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [], usage })}\n\n`;
export const doneEvent = 'data: [DONE]\n\n';

export function streamOf(text: string): string[] {
  const words = text.split(/(?<= )/).map((word) => chunkEvent({ content: word }));
  return [roleEvent, ...words, finishEvent, usageEvent, doneEvent];
}

/** Sends these pieces as a stream, each in a write of its own, and ends it. */
export function events(...pieces: string[]): Reply {
  return async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve));
    response.end();
  };
}

/** Sends these pieces, then what `then` does: cut, stall. */
export function eventsThen(pieces: readonly string[], then: (response: ServerResponse) => void): Reply {
  return async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve));
    then(response);
  };
}

export function status(code: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

export function errorBody(fields: {
  type?: string | null;
  code?: string | number | null;
  message?: string;
  param?: string;
}): object {
  return { error: { message: 'no', type: 'invalid_request_error', param: null, code: null, ...fields } };
}

export const blackHole: Reply = () => undefined;
export const reset: Reply = (_response, _call, request) => void request.socket.resetAndDestroy();
export const cut = (response: ServerResponse): void => void response.socket?.destroy();
