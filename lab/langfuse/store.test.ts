// What the store does with replays, with time, with protobuf, with faults, and with SIGKILL of its process.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import type { RunningVendor } from '../kit/mod.ts';
import { readLabSpans, startLangfuse } from './mod.ts';

const project = { id: 'p', name: 'P', publicKey: 'pk', secretKey: 'sk' };
const authorization = `Basic ${Buffer.from('pk:sk').toString('base64')}`;
const startMs = Date.UTC(2026, 10, 23, 12);

async function started(context: TestContext, settleMs = 0): Promise<RunningVendor> {
  const vendor = await startLangfuse({
    name: 'lf',
    port: 0,
    dataFile: ':memory:',
    projects: [project],
    mode: 'events_only',
    settleMs,
  });
  context.after(() => vendor.close());
  return vendor;
}

function spanAt(ms: number, number = 1) {
  return {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: number.toString(16).padStart(16, '0'),
    name: `span ${number}`,
    startTimeUnixNano: `${ms}000000`,
    endTimeUnixNano: `${ms + 100}000000`,
    attributes: [{ key: 'langfuse.observation.metadata.outcome', value: { stringValue: 'answered' } }],
  };
}

const exportOf = (...spans: unknown[]) => ({ resourceSpans: [{ scopeSpans: [{ scope: { name: 's' }, spans }] }] });

async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/api/public/otel/v1/traces`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', ...headers },
    body: body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

interface Page {
  readonly data: readonly { id: string; name: string; startTime: string }[];
  readonly meta: { readonly cursor?: string };
}

async function observations(url: string, query = ''): Promise<Page> {
  const response = await fetch(`${url}/api/public/v2/observations?${query}`, { headers: { authorization } });
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as Page;
}

void test('a replay with the same start time is read once, with another start time twice', async (context) => {
  const vendor = await started(context);
  await post(vendor.url, exportOf(spanAt(startMs)));
  await post(vendor.url, exportOf(spanAt(startMs)));
  assert.equal((await observations(vendor.url)).data.length, 1);
  const [once] = await readLabSpans(vendor.url);
  assert.equal(once?.readableRows, 1);
  assert.equal(once?.rawRows, 2);
  assert.equal(once?.outcome, 'answered');
  await post(vendor.url, exportOf(spanAt(startMs + 1)));
  assert.equal((await observations(vendor.url)).data.length, 2);
  assert.equal((await readLabSpans(vendor.url))[0]?.readableRows, 2);
});

void test('accepted is not readable: rows appear after the settling time only', async (context) => {
  const vendor = await started(context, 3_600_000);
  assert.equal((await post(vendor.url, exportOf(spanAt(startMs)))).status, 200);
  assert.equal((await observations(vendor.url)).data.length, 0);
  assert.equal((await readLabSpans(vendor.url))[0]?.readableRows, 0);
});

void test('one bad span refuses the whole export', async (context) => {
  const vendor = await started(context);
  const refused = await post(vendor.url, exportOf(spanAt(startMs), { ...spanAt(startMs, 2), spanId: 'abc' }));
  assert.equal(refused.status, 400);
  assert.match(((await refused.json()) as { error: string }).error, /1 of 2 span\(s\).*spanId:wrong_length/);
  assert.equal((await observations(vendor.url)).data.length, 0);
});

void test('the lab route refuses a question it does not understand and lives on', async (context) => {
  const vendor = await started(context);
  assert.equal((await fetch(`${vendor.url}/_lab/spans?limit=many`)).status, 400);
  assert.deepEqual(await readLabSpans(vendor.url), []);
});

void test('accept-and-drop answers like a success and stores nothing', async (context) => {
  const vendor = await started(context);
  vendor.faults.replace([{ kind: 'special', name: 'accept-and-drop', times: 1 }]);
  const dropped = await post(vendor.url, exportOf(spanAt(startMs)));
  assert.equal(dropped.status, 200);
  assert.equal(((await dropped.json()) as { name: string }).name, 'otel-ingestion-job');
  assert.deepEqual(await readLabSpans(vendor.url), []);
  assert.deepEqual(
    vendor.ledger.effectsAfter(0).map(({ type }) => type),
    ['export-dropped'],
  );
});

void test('pages of the cursor cover everything once, newest first', async (context) => {
  const vendor = await started(context);
  await post(
    vendor.url,
    exportOf(...Array.from({ length: 25 }, (_, index) => spanAt(startMs + (index >> 1), index + 1))),
  );
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await observations(
      vendor.url,
      new URLSearchParams({ limit: '4', ...(cursor ? { cursor } : {}) }).toString(),
    );
    names.push(...page.data.map(({ name }) => name));
    cursor = page.meta.cursor;
  } while (cursor);
  assert.equal(names.length, 25);
  assert.equal(new Set(names).size, 25);
  assert.equal(names[0], 'span 25');
  const window = new URLSearchParams({
    fromStartTime: new Date(startMs + 2).toISOString(),
    toStartTime: new Date(startMs + 4).toISOString(),
  });
  assert.equal((await observations(vendor.url, window.toString())).data.length, 4, 'from is inclusive, to exclusive');
});

void test('bad queries are refused with the validator’s issues', async (context) => {
  const vendor = await started(context);
  for (const query of [
    'limit=1001',
    'fields=core,colour',
    'cursor=nonsense',
    'fromStartTime=today',
    'parseIoAsJson=true',
  ]) {
    const response = await fetch(`${vendor.url}/api/public/v2/observations?${query}`, { headers: { authorization } });
    assert.equal(response.status, 400, query);
    assert.equal(((await response.json()) as { message: string }).message, 'Invalid request data');
  }
});

void test('protobuf, gzipped, is read by the published field numbers', async (context) => {
  const vendor = await started(context);
  // Written with the low-level writer, from the numbers in opentelemetry-proto: no shared descriptor.
  const value = protobuf.Writer.create().uint32(10).string('v').finish();
  const attribute = protobuf.Writer.create()
    .uint32(10)
    .string('langfuse.observation.metadata.exchange')
    .uint32(18)
    .bytes(value)
    .finish();
  const span = protobuf.Writer.create()
    .uint32(10)
    .bytes(Buffer.from('0af7651916cd43dd8448eb211c80319c', 'hex'))
    .uint32(18)
    .bytes(Buffer.from('b7ad6b7169203331', 'hex'))
    .uint32(42)
    .string('from protobuf')
    .uint32(57)
    .fixed64(String(BigInt(startMs) * 1_000_000n))
    .uint32(74)
    .bytes(attribute)
    .finish();
  const scopeSpans = protobuf.Writer.create().uint32(18).bytes(span).finish();
  const resourceSpans = protobuf.Writer.create().uint32(18).bytes(scopeSpans).finish();
  const body = gzipSync(protobuf.Writer.create().uint32(10).bytes(resourceSpans).finish());
  const accepted = await post(vendor.url, body, {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'gzip',
  });
  assert.equal(accepted.status, 200, await accepted.text());
  const [row] = await readLabSpans(vendor.url);
  assert.equal(row?.spanId, 'b7ad6b7169203331');
  assert.equal(row?.startTimeMs, startMs);
  assert.equal(row?.exchange, 'v');
});

void test('what was stored is still there after SIGKILL of the process', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'lab-langfuse-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  const config = { name: 'lf', port: 0, dataFile: join(directory, 'lf.db'), projects: [project], settleMs: 0 };
  const first = await spawned(context, config);
  await post(first.url, exportOf(spanAt(startMs)));
  await fetch(`${first.url}/api/public/v2/prompts`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'kept', prompt: 'x' }),
  });
  await first.kill();
  const second = await spawned(context, config);
  assert.equal((await observations(second.url)).data.length, 1);
  const kept = await fetch(`${second.url}/api/public/v2/prompts/kept?version=1`, { headers: { authorization } });
  assert.equal(kept.status, 200);
  await second.kill();
});

async function spawned(context: TestContext, config: unknown): Promise<{ url: string; kill: () => Promise<void> }> {
  const main = new URL('main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, JSON.stringify(config)], { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { url: (JSON.parse(line) as { url: string }).url, kill };
}
