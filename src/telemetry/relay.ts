// The Langfuse-compatible intake on the gateway's port: an application changes its Langfuse host and nothing else. An
// accepted export is durable in the journal before it is answered; it reaches every Langfuse from there.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { codeOf, describeError, type Clock, type Randomness, type Site } from '#base';
import type { Journal, TelemetryMeta } from '#journal';
import type { TelemetryLimits } from './limits.ts';
import type { TelemetryLog } from './port.ts';
import { authenticate } from './relay-auth.ts';
import { readBodyWithin } from './relay-body.ts';
import { parseExport } from './relayed.ts';
import { judgeExport } from './validate.ts';
import { withDeadline } from './waiting.ts';

/** The Langfuse whose intake the relay follows; SDKs ask for it. */
const followedVersion = '4.16.0';
const ingestionVersionMax = 4;

export interface RelayParts {
  readonly site: Site;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly publicKeys: ReadonlyMap<string, string>;
  readonly log: TelemetryLog;
  readonly limits: TelemetryLimits;
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
  /** The connection ends after this reply: the rest of the request is not read. */
  readonly close?: boolean;
  readonly retryAfterSeconds?: number;
}

export function createRelay(parts: RelayParts): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let handling = 0;
  return async (request, response) => {
    handling++;
    try {
      const reply =
        handling > parts.limits.relayConcurrencyMax
          ? { ...unavailable('the relay is busy', 1), close: true }
          : await replyTo(request, parts);
      send(response, reply);
    } catch (error) {
      parts.log({ level: 'error', code: 'relay-failed', error: codeOf(error), message: describeError(error) });
      if (response.headersSent) response.destroy();
      else send(response, { status: 500, body: { message: 'Internal Server Error' }, close: true });
    } finally {
      handling--;
    }
  };
}

async function replyTo(request: IncomingMessage, parts: RelayParts): Promise<Reply> {
  const path = new URL(request.url ?? '/', 'http://relay').pathname;
  switch (path) {
    case '/api/public/health':
      return isGet(request) ? { status: 200, body: { status: 'OK', version: followedVersion } } : methodNotAllowed;
    case '/api/public/ready':
      return isGet(request) ? ready(parts) : methodNotAllowed;
    case '/api/public/otel/v1/traces':
      if (request.method !== 'POST') return methodNotAllowed;
      return traces(request, parts);
    default:
      return {
        status: 404,
        body: { error: 'LangfuseNotFoundError', message: `The relay does not carry ${request.method} ${path}` },
      };
  }
}

function ready({ journal }: RelayParts): Reply {
  const { failed } = journal.state();
  if (failed === undefined) return { status: 200, body: { status: 'OK', version: followedVersion } };
  return { status: 503, body: { status: 'The journal cannot be written', version: followedVersion } };
}

async function traces(request: IncomingMessage, parts: RelayParts): Promise<Reply> {
  const who = authenticate(request.headers.authorization, parts.publicKeys);
  if (!who.ok) return { status: who.status, body: { message: who.message }, close: true };
  const body = await exportBody(request, parts);
  if ('status' in body) return body;
  const contentType = contentTypeOf(request.headers['content-type']);
  if (!contentType) return badRequest('Invalid content type');
  let resourceSpans: unknown[];
  try {
    resourceSpans = parseExport(contentType, body.bytes);
  } catch {
    return badRequest(`Failed to parse OTel ${contentType === 'application/json' ? 'JSON' : 'Protobuf'} Trace`);
  }
  if (resourceSpans.length === 0) return { status: 200, body: {} };
  const verdict = judgeExport(resourceSpans);
  if (verdict.error !== undefined) return badRequest(verdict.error);
  const version = headerOf(request, 'x-langfuse-ingestion-version');
  if (version !== undefined && !(Number.parseInt(version, 10) <= ingestionVersionMax)) {
    return badRequest(
      `Unsupported x-langfuse-ingestion-version: "${version}". Maximum supported: "${ingestionVersionMax}".`,
    );
  }
  const meta: TelemetryMeta = {
    receivedAtMs: parts.clock.wallMs(),
    contentType,
    publicKey: who.publicKey,
    spans: verdict.spans,
    ...(version === undefined ? {} : { ingestionVersion: version }),
  };
  return keep(meta, body.bytes, parts);
}

/** The whole body, decompressed. gzip only: Langfuse reads nothing else. */
async function exportBody(request: IncomingMessage, parts: RelayParts): Promise<{ bytes: Buffer } | Reply> {
  const { clock, limits } = parts;
  const tooLarge: Reply = {
    status: 413,
    body: { error: `Body exceeded ${limits.relayBodyBytesMax} bytes; send smaller batches` },
    close: true,
  };
  const read = await readBodyWithin(request, {
    clock,
    bytesMax: limits.relayBodyBytesMax,
    timeoutMs: limits.relayTimeoutMs,
  });
  if (read === 'too-large') return tooLarge;
  if (read === 'too-slow') return { status: 408, body: { error: 'The request body came too slowly' }, close: true };
  if (read === 'cut') return { ...badRequest('Failed to read request body'), close: true };
  if (!request.headers['content-encoding']?.includes('gzip')) return { bytes: read };
  try {
    return { bytes: await promisify(gunzip)(read, { maxOutputLength: limits.relayBodyBytesMax }) };
  } catch (error) {
    return codeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? tooLarge : badRequest('Failed to decompress request body');
  }
}

/** Durable first, then 200. What cannot be kept now is answered so that SDKs send it again. */
async function keep(meta: TelemetryMeta, body: Buffer, parts: RelayParts): Promise<Reply> {
  const { journal, clock, limits } = parts;
  try {
    const { sequence, durable } = journal.append({ kind: 'otlp', meta: { ...meta }, body });
    const signal = new AbortController().signal;
    await withDeadline(clock, { timeoutMs: limits.relayTimeoutMs, signal, what: 'the journal' }, () => durable);
    return { status: 200, body: accepted(sequence, meta, parts) };
  } catch (error) {
    const code = codeOf(error);
    parts.log({ level: 'warn', code: 'relay-not-durable', error: code, message: describeError(error) });
    if (code === 'JOURNAL_BUSY') {
      return { status: 429, body: { error: 'The journal is busy; send again' }, retryAfterSeconds: 1 };
    }
    return unavailable('the journal cannot take the export now', code === 'JOURNAL_FULL' ? 30 : 5);
  }
}

/** The queue job a Langfuse answers with, as far as it means something here. */
function accepted(sequence: number, meta: TelemetryMeta, { site, randomness }: RelayParts): unknown {
  const hex = Buffer.from(randomness.bytes(16)).toString('hex');
  const id = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join(
    '-',
  );
  const name = 'otel-ingestion-job';
  return {
    name,
    data: {
      id,
      timestamp: new Date(meta.receivedAtMs).toISOString(),
      name,
      payload: {
        data: { fileKey: `journal/${site}/${sequence}`, publicKey: meta.publicKey },
        authCheck: { validKey: true, scope: { accessLevel: 'project' } },
        ingestionVersion: meta.ingestionVersion ?? '',
      },
    },
    id: String(sequence),
    timestamp: meta.receivedAtMs,
  };
}

const methodNotAllowed: Reply = {
  status: 405,
  body: { message: 'Method not allowed', error: 'MethodNotAllowedError' },
  close: true,
};

function badRequest(error: string): Reply {
  return { status: 400, body: { error } };
}

function unavailable(error: string, retryAfterSeconds: number): Reply {
  return { status: 503, body: { error }, retryAfterSeconds };
}

function isGet(request: IncomingMessage): boolean {
  return request.method === 'GET' || request.method === 'HEAD';
}

function contentTypeOf(header: string | undefined): TelemetryMeta['contentType'] | undefined {
  const lower = header?.toLowerCase();
  if (lower?.includes('application/json')) return 'application/json';
  return lower?.includes('application/x-protobuf') ? 'application/x-protobuf' : undefined;
}

/** Langfuse reads its own headers with hyphens or underscores. */
function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name] ?? request.headers[name.replaceAll('-', '_')];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function send(response: ServerResponse, reply: Reply): void {
  const text = JSON.stringify(reply.body);
  response.writeHead(reply.status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...(reply.retryAfterSeconds === undefined ? {} : { 'retry-after': String(reply.retryAfterSeconds) }),
    ...(reply.close ? { connection: 'close' } : {}),
  });
  response.end(text);
}
