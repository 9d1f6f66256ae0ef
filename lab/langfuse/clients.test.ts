// The official clients judge the lab's Langfuse: prompts and reads by @langfuse/client, spans by @langfuse/otel with
// @langfuse/tracing, and by OpenTelemetry's own OTLP exporter.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LangfuseClient } from '@langfuse/client';
import { LangfuseSpanProcessor } from '@langfuse/otel';
import { setLangfuseTracerProvider, startObservation } from '@langfuse/tracing';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { RunningVendor } from '../kit/mod.ts';
import { readLabSpans, startLangfuse } from './mod.ts';

const keys = { publicKey: 'pk-lf-lab', secretKey: 'sk-lf-lab' };
let vendor: RunningVendor;
let client: LangfuseClient;
before(async () => {
  vendor = await startLangfuse({
    name: 'lf',
    port: 0,
    dataFile: ':memory:',
    projects: [{ id: 'p', name: 'P', ...keys }],
    mode: 'events_only',
    settleMs: 0,
  });
  client = new LangfuseClient({ baseUrl: vendor.url, ...keys });
});
after(async () => {
  await vendor.close();
});

void test('@langfuse/client creates, reads, lists, labels and deletes prompts', async () => {
  await client.prompt.create({ name: 'greet/short', prompt: 'Hello {{name}}', labels: ['production'], tags: ['a'] });
  await client.prompt.create({ name: 'greet/short', prompt: 'Hi {{name}}', tags: ['a', 'b'] });
  const got = await client.prompt.get('greet/short');
  assert.equal(got.version, 1);
  assert.deepEqual(got.tags, ['a', 'b'], 'tags belong to the name, so the older version has them too');
  assert.equal(got.compile({ name: 'Ada' }), 'Hello Ada');
  await client.prompt.update({ name: 'greet/short', version: 2, newLabels: ['production'] });
  assert.equal((await client.prompt.get('greet/short', { cacheTtlSeconds: 0 })).version, 2);
  const list = await client.api.prompts.list({ name: 'greet/short' });
  assert.deepEqual(list.data[0]?.versions, [1, 2]);
  await client.prompt.delete('greet/short', { version: 2 });
  const left = await client.api.prompts.get('greet/short', { version: 1 });
  assert.deepEqual(left.labels, ['latest'], 'the label went with the version, latest came back');
});

void test('@langfuse/client creates a chat prompt with a placeholder', async () => {
  await client.prompt.create({
    name: 'chat',
    type: 'chat',
    prompt: [
      { role: 'system', content: 'Be {{mood}}' },
      { type: 'placeholder', name: 'history' },
    ],
    labels: ['production'],
  });
  const got = await client.prompt.get('chat', { type: 'chat' });
  assert.deepEqual(got.compile({ mood: 'kind' }, { history: [{ role: 'user', content: 'hi' }] }), [
    { role: 'system', content: 'Be kind' },
    { role: 'user', content: 'hi' },
  ]);
});

void test('@langfuse/otel ships an observation that @langfuse/client reads back', async () => {
  const processor = new LangfuseSpanProcessor({ baseUrl: vendor.url, ...keys, environment: 'staging' });
  setLangfuseTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }));
  const generation = startObservation(
    'answer',
    { input: 'question', model: 'gpt-x', metadata: { exchange: 'xc_1', long: 'x'.repeat(300) } },
    { asType: 'generation' },
  );
  generation.update({ output: 'reply', usageDetails: { input: 3, output: 4 } }).end();
  await processor.forceFlush();
  const { data } = await client.api.observations.getMany({
    traceId: generation.traceId,
    fields: 'core,basic,io,metadata,model,usage',
    expandMetadata: 'exchange',
  });
  const [row] = data;
  assert.equal(data.length, 1);
  assert.equal(row?.name, 'answer');
  assert.equal(row?.type, 'GENERATION');
  assert.equal(row?.environment, 'staging');
  assert.equal(row?.input, 'question');
  assert.equal(row?.output, 'reply');
  assert.equal((row as unknown as Record<string, unknown>)['providedModelName'], 'gpt-x');
  assert.deepEqual(row?.usageDetails, { input: 3, output: 4 });
  const metadata = row?.metadata as Record<string, string>;
  assert.equal(metadata['exchange'], 'xc_1');
  assert.equal(metadata['long']?.length, 200, 'metadata is cut to 200 characters unless asked for');
  await processor.shutdown();
  setLangfuseTracerProvider(null);
});

void test("OpenTelemetry's OTLP exporter ships spans with events, links to parents and an error status", async () => {
  const exporter = new OTLPTraceExporter({
    url: `${vendor.url}/api/public/otel/v1/traces`,
    headers: { authorization: `Basic ${Buffer.from(`${keys.publicKey}:${keys.secretKey}`).toString('base64')}` },
  });
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const span = provider.getTracer('plain').startSpan('chat m', {
    attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'm', 'gen_ai.usage.input_tokens': 5 },
  });
  span.addEvent('retry', { attempt: 1 });
  span.setStatus({ code: 2, message: 'broke' });
  span.end();
  await provider.forceFlush();
  const { traceId } = span.spanContext();
  const { data } = await client.api.observations.getMany({ traceId, fields: 'basic,usage,model' });
  assert.equal(data[0]?.level, 'ERROR');
  assert.equal(data[0]?.statusMessage, 'broke');
  assert.equal(data[0]?.type, 'GENERATION');
  assert.deepEqual(data[0]?.usageDetails, { input: 5, output: 0, total: 5 });
  assert.equal((await readLabSpans(vendor.url)).filter((row) => row.traceId === traceId).length, 1);
  await provider.shutdown();
});
