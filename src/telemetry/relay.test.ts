import assert from 'node:assert/strict';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { gzipSync, deflateSync } from 'node:zlib';
import { LangfuseSpanProcessor } from '@langfuse/otel';
import { setLangfuseTracerProvider, startObservation } from '@langfuse/tracing';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { seededRandomness, sha256, systemClock } from '#base';
import type { TelemetryMeta } from '#journal';
import { encodeExport, unitsOf } from './item.ts';
import { defaultLimits } from './limits.ts';
import { exportMessage } from './otlp-protobuf.ts';
import { createRelay } from './relay.ts';
import { relayedItem } from './relayed.ts';
import { strictSpans } from './testing/fake-langfuse.ts';
import { MemoryJournal } from './testing/memory-journal.ts';

const basic = `Basic ${Buffer.from('pk-lf-test:sk-lf-test').toString('base64')}`;
const traceId = 'bb14c33c23138873afcc5e6f3c2b5f61';
const spanId = 'cb00000daff4e5ae';
const goodSpan = {
  traceId,
  spanId,
  name: 'op',
  kind: 1,
  startTimeUnixNano: '1767268800000000001',
  endTimeUnixNano: '1767268800500000000',
  attributes: [{ key: 'a', value: { intValue: '9007199254740993' } }],
};

const exportOf = (spans: unknown): unknown => ({
  resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: 's' }, spans }] }],
});

describe('the relay', () => {
  let server: Server;
  let url: string;
  let journal: MemoryJournal;

  before(async () => {
    server = createServer((request, response) => {
      const relay = createRelay({
        site: 'home',
        journal,
        clock: systemClock,
        randomness: seededRandomness(1),
        publicKeys: new Map([['pk-lf-test', sha256('sk-lf-test')]]),
        log: () => {},
        limits: { ...defaultLimits, relayBodyBytesMax: 300_000 },
      });
      void relay(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    journal = new MemoryJournal();
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function post(
    body: string | Uint8Array,
    headers: Record<string, string> = {},
    path = '/api/public/otel/v1/traces',
  ): Promise<{ status: number; body: unknown; headers: Headers }> {
    const sent = { 'content-type': 'application/json', authorization: basic, ...headers };
    const response = await fetch(`${url}${path}`, { method: 'POST', headers: sent, body: body as string });
    return { status: response.status, body: await response.json(), headers: response.headers };
  }

  /** The spans a Langfuse would be given for what stands in the journal. */
  function shipped(): Record<string, unknown>[] {
    return journal.records.flatMap((record) => {
      const item = relayedItem(record.sequence, record.meta as unknown as TelemetryMeta, record.body);
      return strictSpans(encodeExport(unitsOf(item))).map(({ span }) => span);
    });
  }

  it('accepts an export when it is durable, and ships it unchanged', async () => {
    const reply = await post(JSON.stringify(exportOf([goodSpan])));
    assert.equal(reply.status, 200);
    assert.equal((reply.body as { name: string }).name, 'otel-ingestion-job');
    assert.deepEqual(
      journal.records.map(({ meta }) => [meta['publicKey'], meta['spans'], meta['contentType']]),
      [['pk-lf-test', 1, 'application/json']],
    );
    assert.deepEqual(shipped(), [goodSpan]);
  });

  it('does not answer 200 before the journal is durable', async () => {
    journal.stalled = true;
    let answered = false;
    const reply = post(JSON.stringify(exportOf([goodSpan]))).then((result) => {
      answered = true;
      return result;
    });
    while (journal.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(answered, false);
    journal.stalled = false;
    journal.sync();
    assert.equal((await reply).status, 200);
  });

  it('answers what Langfuse 4.16 answers to what it refuses', async () => {
    const json = JSON.stringify(exportOf([goodSpan]));
    const cases: [string, Awaited<ReturnType<typeof post>>, number, unknown][] = [
      ['empty object', await post('{}'), 200, {}],
      ['empty list', await post('{"resourceSpans":[]}'), 200, {}],
      ['bad json', await post('{'), 400, { error: 'Failed to parse OTel JSON Trace' }],
      ['empty body', await post(''), 400, { error: 'Failed to parse OTel JSON Trace' }],
      ['text/plain', await post(json, { 'content-type': 'text/plain' }), 400, { error: 'Invalid content type' }],
      [
        'bad protobuf',
        await post('not a message', { 'content-type': 'application/x-protobuf' }),
        400,
        { error: 'Failed to parse OTel Protobuf Trace' },
      ],
      [
        'broken gzip',
        await post(json, { 'content-encoding': 'gzip' }),
        400,
        { error: 'Failed to decompress request body' },
      ],
      [
        'deflate',
        await post(deflateSync(json), { 'content-encoding': 'deflate' }),
        400,
        { error: 'Failed to parse OTel JSON Trace' },
      ],
      [
        'too new',
        await post(json, { 'x-langfuse-ingestion-version': '5' }),
        400,
        { error: 'Unsupported x-langfuse-ingestion-version: "5". Maximum supported: "4".' },
      ],
      ['no key', await post(json, { authorization: '' }), 401, { message: 'No authorization header' }],
      ['garbage', await post(json, { authorization: 'xyz' }), 401, { message: 'Invalid authorization header' }],
      [
        'bearer',
        await post(json, { authorization: 'Bearer pk-lf-test' }),
        403,
        { message: 'Invalid API key. Are you using an organization key?' },
      ],
    ];
    for (const [name, reply, status, body] of cases) {
      assert.deepEqual([reply.status, reply.body], [status, body], name);
    }
    for (const pair of ['pk-lf-test:wrong', 'pk-lf-other:sk-lf-test', 'pk-lf-test:']) {
      const reply = await post(json, { authorization: `Basic ${Buffer.from(pair).toString('base64')}` });
      assert.deepEqual(
        [reply.status, reply.body],
        [401, { message: "Invalid credentials. Confirm that you've configured the correct host." }],
      );
    }
    assert.equal(journal.records.length, 0, 'nothing of it was kept');
  });

  it('refuses a whole export for one bad span, in the words of Langfuse', async () => {
    const end =
      'The entire export was rejected and no spans were ingested. Instrumentation scopes: s. This endpoint accepts OpenTelemetry traces only — if you are exporting OpenTelemetry logs, point your log exporter elsewhere.';
    const noId = await post(JSON.stringify(exportOf([{ ...goodSpan, traceId: undefined }])));
    assert.deepEqual(noId.body, {
      error: `Invalid OTLP trace export: 1 of 1 span(s) cannot be processed (traceId:absent). traceId and spanId are required on every span, and each must be a string or a byte array. ${end}`,
    });
    const map = await post(JSON.stringify(exportOf([{ ...goodSpan, attributes: { a: 1 } }])));
    assert.deepEqual(map.body, {
      error: `Invalid OTLP trace export: 1 of 1 span(s) cannot be processed (attributes:not_an_array). scopeSpans, spans, attributes and events must all be arrays — OTLP attributes are a list of {key, value} entries, not a JSON object. ${end}`,
    });
    const mixed = await post(JSON.stringify(exportOf([goodSpan, { ...goodSpan, spanId: 42 }])));
    assert.equal(mixed.status, 400);
    assert.match((mixed.body as { error: string }).error, /1 of 2 span\(s\) .*\(spanId:not_an_id\)/);
    assert.equal((await post(JSON.stringify(exportOf({ 0: goodSpan })))).status, 400);
    assert.equal(journal.records.length, 0);
    const base64 = { ...goodSpan, traceId: Buffer.from(traceId, 'hex').toString('base64') };
    assert.equal((await post(JSON.stringify(exportOf([base64])))).status, 200, 'any text is an id');
  });

  it('reads protobuf, and gzip', async () => {
    const bytes = (id: string): Buffer => Buffer.from(id, 'hex');
    const message = exportMessage
      .encode(
        exportMessage.fromObject({
          resourceSpans: [
            {
              resource: { attributes: [{ key: 'service.name', value: { stringValue: 'app' } }] },
              scopeSpans: [
                {
                  scope: { name: 's' },
                  spans: [
                    {
                      ...goodSpan,
                      traceId: bytes(traceId),
                      spanId: bytes(spanId),
                      links: [{ traceId: bytes(traceId), spanId: bytes(spanId) }],
                      attributes: [...goodSpan.attributes, { key: 'b', value: { bytesValue: Buffer.from([1, 2]) } }],
                      status: { code: 2, message: 'no' },
                    },
                  ],
                },
              ],
            },
          ],
        }),
      )
      .finish();
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
    const reply = await post(gzipSync(message), headers);
    assert.equal(reply.status, 200);
    assert.deepEqual(journal.records[0]?.body, Uint8Array.from(message), 'kept as received, decompressed');
    assert.deepEqual(shipped(), [
      {
        ...goodSpan,
        attributes: [...goodSpan.attributes, { key: 'b', value: { bytesValue: 'AQI=' } }],
        links: [{ traceId, spanId }],
        status: { code: 2, message: 'no' },
      },
    ]);
    const noIds = exportMessage
      .encode(
        exportMessage.fromObject({
          resourceSpans: [{ scopeSpans: [{ scope: { name: 's' }, spans: [{ name: 'x' }] }] }],
        }),
      )
      .finish();
    const refused = await post(noIds, { 'content-type': 'application/x-protobuf' });
    assert.match((refused.body as { error: string }).error, /traceId:absent, spanId:absent/);
  });

  it('bounds the body, compressed and not', async () => {
    const large = JSON.stringify(exportOf([{ ...goodSpan, name: 'x'.repeat(400_000) }]));
    assert.equal((await post(large)).status, 413);
    assert.equal((await post(gzipSync(large), { 'content-encoding': 'gzip' })).status, 413);
    assert.equal(journal.records.length, 0);
  });

  it('asks to send again when the journal cannot keep it', async () => {
    for (const [code, status, wait] of [
      ['JOURNAL_FULL', 503, '30'],
      ['JOURNAL_BUSY', 429, '1'],
      ['JOURNAL_FAILED', 503, '5'],
    ] as const) {
      journal.refuseWith = code;
      const reply = await post(JSON.stringify(exportOf([goodSpan])));
      assert.deepEqual([reply.status, reply.headers.get('retry-after')], [status, wait]);
    }
  });

  it('says how it is, and what it does not carry', async () => {
    assert.deepEqual(await (await fetch(`${url}/api/public/health`)).json(), { status: 'OK', version: '4.16.0' });
    assert.equal((await fetch(`${url}/api/public/ready`)).status, 200);
    journal.failed = 'disk gone';
    assert.equal((await fetch(`${url}/api/public/ready`)).status, 503);
    const get = await fetch(`${url}/api/public/otel/v1/traces`, { headers: { authorization: basic } });
    assert.deepEqual(
      [get.status, await get.json()],
      [405, { message: 'Method not allowed', error: 'MethodNotAllowedError' }],
    );
    assert.equal((await post('{}', {}, '/api/public/ingestion')).status, 404);
  });

  it('keeps nothing of a request that is cut off', async () => {
    await new Promise<void>((resolve) => {
      const options = {
        method: 'POST',
        headers: { authorization: basic, 'content-type': 'application/json', 'content-length': '1000' },
      };
      const half = httpRequest(`${url}/api/public/otel/v1/traces`, options);
      half.on('error', () => resolve());
      half.write('{"resourceSpans":[', () => half.destroy());
    });
    assert.equal((await post(JSON.stringify(exportOf([goodSpan])))).status, 200);
    assert.equal(journal.records.length, 1);
  });

  it('serves the official Langfuse SDK, and the spans keep their ids', async () => {
    const processor = new LangfuseSpanProcessor({
      publicKey: 'pk-lf-test',
      secretKey: 'sk-lf-test',
      baseUrl: url,
      environment: 'lab',
    });
    const provider = new BasicTracerProvider({ spanProcessors: [processor] });
    setLangfuseTracerProvider(provider);
    const root = startObservation('question', { input: 'hi' });
    const generation = root.startObservation('answer', { model: 'm', output: 'ho' }, { asType: 'generation' });
    generation.end();
    root.end();
    await provider.shutdown();
    setLangfuseTracerProvider(null);
    const spans = shipped();
    assert.deepEqual(new Set(spans.map((span) => span['spanId'])), new Set([root.id, generation.id]));
    assert.ok(spans.every((span) => span['traceId'] === root.traceId));
    assert.match(JSON.stringify(spans), /langfuse\.observation\.type/);
  });

  it('serves a plain OpenTelemetry exporter', async () => {
    const exporter = new OTLPTraceExporter({
      url: `${url}/api/public/otel/v1/traces`,
      headers: { authorization: basic },
    });
    const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
    const span = provider.getTracer('app').startSpan('work', { attributes: { n: 1 } });
    span.end();
    await provider.shutdown();
    assert.deepEqual(
      shipped().map((one) => [one['traceId'], one['spanId'], one['name']]),
      [[span.spanContext().traceId, span.spanContext().spanId, 'work']],
    );
  });
});

describe('a relayed export', () => {
  const meta: TelemetryMeta = {
    receivedAtMs: 1_767_268_800_123,
    contentType: 'application/json',
    publicKey: 'pk',
    spans: 1,
  };
  const render = (body: string): string => encodeExport(unitsOf(relayedItem(1, meta, Buffer.from(body))));

  it('keeps 64-bit integers that were sent as number literals', () => {
    const text = JSON.stringify(exportOf([goodSpan])).replace('"1767268800000000001"', '1767268800000000001');
    assert.match(render(text), /"startTimeUnixNano":1767268800000000001[,}]/);
    assert.equal(relayedItem(1, meta, Buffer.from(text)).spans[0]?.startMs, 1_767_268_800_000);
  });

  it('gives a span without any time the time of its arrival, so that a replay is the same span', () => {
    const { startTimeUnixNano: _start, endTimeUnixNano: _end, ...timeless } = goodSpan;
    const body = JSON.stringify(exportOf([timeless]));
    assert.equal(relayedItem(1, meta, Buffer.from(body)).spans[0]?.startMs, meta.receivedAtMs);
    assert.match(render(body), /"startTimeUnixNano":"1767268800123000000"/);
    assert.equal(render(body), render(body));
  });

  it('keeps resource, scope and schema of each span', () => {
    const body = {
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'r', value: { stringValue: '1' } }] },
          schemaUrl: 'https://r',
          scopeSpans: [
            { scope: { name: 'one' }, schemaUrl: 'https://s', spans: [goodSpan] },
            { scope: { name: 'two' }, spans: [{ ...goodSpan, spanId: 'cb00000daff4e5af' }] },
          ],
        },
      ],
    };
    const [element] = body.resourceSpans;
    const { scopeSpans, ...resource } = element as NonNullable<typeof element>;
    assert.deepEqual(JSON.parse(render(JSON.stringify(body))), {
      resourceSpans: scopeSpans.map((scope) => ({ ...resource, scopeSpans: [scope] })),
    });
  });

  it('reads ids in every form Langfuse reads', () => {
    const bytes = [...Buffer.from(spanId, 'hex')];
    for (const id of [bytes, { type: 'Buffer', data: bytes }]) {
      const body = JSON.stringify(exportOf([{ ...goodSpan, spanId: id }]));
      assert.equal(relayedItem(1, meta, Buffer.from(body)).spans[0]?.spanId, spanId);
    }
  });
});
