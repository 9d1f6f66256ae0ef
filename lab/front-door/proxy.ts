// The way of a client's call through the front door: streamed both ways, nothing buffered, cut when the origin is cut.
// Only counts are kept for calls that pass; what fails is handed to the caller to record.

import { randomUUID } from 'node:crypto';
import { Agent, request as ask, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Site } from '#base';

export interface ProxyCounts {
  /** Calls whose answer began, by the site that answered. */
  readonly answered: Record<Site, number>;
  /** Calls the front door answered itself: no enabled origin, or none reachable. */
  unavailable: number;
  /** Answers cut after they had begun, by the site that was answering. */
  readonly cut: Record<Site, number>;
  /** Clients that went away first. */
  clientGone: number;
}

export interface ProxyParts {
  /** Which site the next call goes to; undefined when no origin is enabled. */
  choose(): { site: Site; url: URL } | undefined;
  failed(what: 'unavailable' | 'cut', site: Site | undefined, reason: string): void;
  readonly counts: ProxyCounts;
  readonly agent: Agent;
  /** Silence from the origin, before or between bytes, after which the front door gives up (Azure: 30 to 240 s). */
  readonly originTimeoutMs: number;
}

export function newCounts(): ProxyCounts {
  return { answered: { home: 0, partner: 0 }, unavailable: 0, cut: { home: 0, partner: 0 }, clientGone: 0 };
}

export function originAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1_024, maxFreeSockets: 256 });
}

/** Headers that belong to one hop only (RFC 9110 §7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export function proxy(request: IncomingMessage, response: ServerResponse, parts: ProxyParts): void {
  const reference = azureReference();
  const origin = parts.choose();
  if (!origin) {
    refuse(request, response, { reference, parts, reason: 'no enabled origin' });
    return;
  }
  const forward = ask({
    agent: parts.agent,
    host: origin.url.hostname,
    port: origin.url.port,
    method: request.method,
    path: request.url,
    headers: forwardedHeaders(request, origin.url, reference),
    timeout: parts.originTimeoutMs,
  });
  forward.on('timeout', () => forward.destroy(new Error('the origin was silent for too long')));
  forward.on('response', (answer) => passBack(answer, response, { site: origin.site, reference, parts }));
  forward.on('error', (error) => {
    if (response.destroyed || response.headersSent) return;
    refuse(request, response, { reference, parts, site: origin.site, reason: error.message });
  });
  endWithClient(response, forward, parts.counts);
  request.pipe(forward);
}

/** A client that leaves takes its call to the origin with it. */
function endWithClient(response: ServerResponse, forward: ClientRequest, counts: ProxyCounts): void {
  let over = false;
  response.on('finish', () => {
    over = true;
  });
  forward.on('close', () => {
    over = true;
  });
  response.on('close', () => {
    if (over) return;
    counts.clientGone++;
    forward.destroy();
  });
}

function passBack(
  answer: IncomingMessage,
  response: ServerResponse,
  { site, reference, parts }: { site: Site; reference: string; parts: ProxyParts },
): void {
  parts.counts.answered[site]++;
  response.writeHead(answer.statusCode ?? 502, [
    ...endToEnd(answer.rawHeaders),
    'x-azure-ref',
    reference,
    'x-cache',
    'CONFIG_NOCACHE',
  ]);
  response.flushHeaders();
  answer.pipe(response);
  let over = false;
  const cut = (reason: string): void => {
    if (over || response.destroyed || response.writableFinished) return;
    over = true;
    parts.counts.cut[site]++;
    parts.failed('cut', site, reason);
    // As the vendor does: the status has gone out, so the client's connection is reset; no envelope, no last chunk.
    response.socket?.resetAndDestroy();
  };
  answer.on('error', (error) => cut(error.message));
  answer.on('close', () => {
    if (!answer.complete) cut('the origin closed in mid-answer');
  });
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { reference, parts, site, reason }: { reference: string; parts: ProxyParts; site?: Site; reason: string },
): void {
  parts.counts.unavailable++;
  parts.failed('unavailable', site, reason);
  request.resume();
  response.writeHead(503, { 'content-type': 'text/html', 'x-azure-ref': reference, 'x-cache': 'CONFIG_NOCACHE' });
  response.end(unavailablePage(reference));
}

function unavailablePage(reference: string): string {
  return `<!DOCTYPE html><html><head><title>Service unavailable</title></head><body><h2>Our services aren't available right now</h2><p>We're working to restore all services as soon as possible. Please check back soon.</p><p>${reference}</p></body></html>`;
}

function forwardedHeaders(request: IncomingMessage, origin: URL, reference: string): string[] {
  const client = request.socket.remoteAddress ?? '';
  const before = request.headers['x-forwarded-for'];
  const set: Record<string, string> = {
    host: origin.host,
    'x-forwarded-for': typeof before === 'string' ? `${before}, ${client}` : client,
    'x-forwarded-host': request.headers.host ?? '',
    'x-forwarded-proto': 'http',
    'x-azure-ref': reference,
  };
  return [...endToEnd(request.rawHeaders, Object.keys(set)), ...Object.entries(set).flat()];
}

function endToEnd(raw: readonly string[], without: readonly string[] = []): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (!hopByHop.has(lower) && !without.includes(lower)) kept.push(name, raw[index + 1] ?? '');
  }
  return kept;
}

function azureReference(): string {
  return Buffer.from(randomUUID()).toString('base64url');
}
