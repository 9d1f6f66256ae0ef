// POST /api/public/otel/v1/traces: JSON or protobuf, gzip allowed, all of an export or nothing. 200 means accepted, not
// readable: the answer is the queue job of the real server, and rows become readable `settleMs` later.

import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { systemClock } from '#base';
import type { VendorCall } from '../kit/mod.ts';
import type { Caller } from './authentication.ts';
import { decodeExport } from './otlp-protobuf.ts';
import { checkExport } from './otlp-validate.ts';
import { LangfuseError } from './reply.ts';
import { observationOf } from './span-mapping.ts';
import type { SpanStore } from './span-store.ts';

const inflatedBytesMax = 134_217_728; // 128 MiB: the real server has no bound, the lab's memory has
const inflate = promisify(gunzip) as (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

export interface IntakeParts {
  readonly store: SpanStore;
  readonly settleMs: number;
}

/** The body to answer with status 200. */
export async function acceptExport(
  request: IncomingMessage,
  call: VendorCall,
  { caller, parts }: { caller: Caller; parts: IntakeParts },
): Promise<unknown> {
  const resourceSpans = await readResourceSpans(request, call);
  if (!resourceSpans || (resourceSpans as unknown[]).length === 0) return {};
  refuseUnknownIngestionVersion(header(request, 'x-langfuse-ingestion-version'));
  const checked = checkExport(resourceSpans);
  if (checked.refusal !== undefined) throw badRequest(checked.refusal);
  const nowMs = systemClock.wallMs();
  const job = jobOf(request, { caller, nowMs, id: call.id });
  if (call.special('accept-and-drop')) {
    call.effect('export-dropped', job.data.payload.data.fileKey, { spans: checked.spans.length });
    return job;
  }
  const observations = checked.spans.map(observationOf).filter((row) => row !== undefined);
  parts.store.store(caller.project.id, observations, { nowMs, visibleAtMs: nowMs + parts.settleMs });
  call.effect('export-stored', job.data.payload.data.fileKey, {
    spans: observations.length,
    unreadable: checked.spans.length - observations.length,
  });
  return job;
}

async function readResourceSpans(request: IncomingMessage, call: VendorCall): Promise<unknown> {
  let body = await call.body();
  if (header(request, 'content-encoding').includes('gzip')) {
    try {
      body = await inflate(body, { maxOutputLength: inflatedBytesMax });
    } catch {
      throw badRequest('Failed to decompress request body');
    }
  }
  const contentType = header(request, 'content-type').toLowerCase();
  if (contentType.includes('application/x-protobuf')) {
    try {
      return (decodeExport(body) as { resourceSpans?: unknown }).resourceSpans;
    } catch {
      throw badRequest('Failed to parse OTel Protobuf Trace');
    }
  }
  if (!contentType.includes('application/json')) throw badRequest('Invalid content type');
  try {
    return (JSON.parse(body.toString('utf8')) as { resourceSpans?: unknown }).resourceSpans;
  } catch {
    throw badRequest('Failed to parse OTel JSON Trace');
  }
}

function refuseUnknownIngestionVersion(version: string): void {
  if (version === '' || Number.parseInt(version, 10) <= 4) return;
  throw badRequest(`Unsupported x-langfuse-ingestion-version: "${version}". Maximum supported: "4".`);
}

function jobOf(request: IncomingMessage, at: { caller: Caller; nowMs: number; id: number }) {
  const { id: projectId, publicKey } = at.caller.project;
  const iso = new Date(at.nowMs).toISOString();
  const [year, month, day, hour, minute] = iso.split(/[-T:]/);
  const route = 'POST%20%2Fapi%2Fpublic%2Fotel%2Fv1%2Ftraces';
  return {
    name: 'otel-ingestion-job',
    data: {
      id: randomUUID(),
      timestamp: iso,
      name: 'otel-ingestion-job',
      payload: {
        data: {
          fileKey: `events/otel/${projectId}/${year}/${month}/${day}/${hour}/${minute}/${randomUUID()}.json`,
          publicKey,
        },
        authCheck: { validKey: true, scope: { projectId, accessLevel: 'project', orgId: 'org1' } },
        sdkName: header(request, 'x-langfuse-sdk-name') || 'unknown',
        sdkVersion: header(request, 'x-langfuse-sdk-version') || 'unknown',
        ingestionVersion: header(request, 'x-langfuse-ingestion-version'),
      },
    },
    opts: {
      attempts: 6,
      removeOnComplete: true,
      removeOnFail: 100_000,
      backoff: { type: 'exponential', delay: 5_000 },
      traceparent: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
      baggage: `langfuse.clickhouse.surface=publicapi,langfuse.clickhouse.route=${route},langfuse.project.id=${projectId},langfuse.api_key.id=lab`,
    },
    id: String(at.id),
    progress: 0,
    returnvalue: null,
    stacktrace: null,
    priority: 0,
    attemptsStarted: 0,
    attemptsMade: 0,
    stalledCounter: 0,
    timestamp: at.nowMs,
    queueQualifiedName: 'bull:otel-ingestion-queue',
  };
}

function badRequest(error: string): LangfuseError {
  return new LangfuseError(400, { error });
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}
