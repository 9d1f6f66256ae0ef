// The lab's Langfuse against a real server 4.16.0 in `events_only`: the same 79 requests, in the order they were
// recorded, must get the same status and body. Recorded were only method, path, status and reply; the requests were
// written again from the name of each case, and all 79 could be. Compared exactly, except ids, times and URLs, which
// must have the same form; an HTML page must only be one.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import { Agent, request } from 'undici';
import type { RunningVendor } from '../kit/mod.ts';
import { startLangfuse } from './mod.ts';

interface RecordedCase {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly request: {
    readonly auth?: keyof typeof credentials;
    readonly json?: unknown;
    readonly text?: string;
    readonly filler?: number;
    readonly encode?: 'gzip' | 'deflate';
    readonly headers?: Record<string, string>;
  };
  readonly expected: {
    readonly status: number;
    readonly contentType?: string;
    readonly json?: unknown;
    readonly text?: string;
    readonly html?: true;
  };
}

const project = { id: 'proj1', name: 'Project One', publicKey: 'pk-lf-1234567890', secretKey: 'sk-lf-recorded' };
const basic = (publicKey: string, secretKey: string): string =>
  `Basic ${Buffer.from(`${publicKey}:${secretKey}`).toString('base64')}`;
const credentials = {
  none: undefined,
  garbage: 'Nonsense',
  'bearer-public-key': `Bearer ${project.publicKey}`,
  'wrong-secret': basic(project.publicKey, 'sk-lf-wrong'),
  'wrong-public-key': basic('pk-lf-wrong', project.secretKey),
};

const file = new URL('../../test/fixtures/langfuse/replies-4.16.0-events_only.jsonl', import.meta.url);
const cases = (await readFile(file, 'utf8'))
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as RecordedCase);

let vendor: RunningVendor;
let agent: Agent;
before(async () => {
  vendor = await startLangfuse({ name: 'lf', port: 0, dataFile: ':memory:', projects: [project], mode: 'events_only' });
  agent = new Agent({ pipelining: 0 }); // the 413 cuts its connection: no case may inherit one
});
after(async () => {
  await agent.close();
  await vendor.close();
});

void test('there are 79 recorded cases', () => assert.equal(cases.length, 79));

for (const recorded of cases) {
  void test(`recorded: ${recorded.name}`, async () => {
    const { expected } = recorded;
    const reply = await request(vendor.url + recorded.path, {
      method: recorded.method as 'GET',
      headers: headersOf(recorded),
      body: bodyOf(recorded) ?? null,
      dispatcher: agent,
    });
    const text = await reply.body.text();
    assert.equal(reply.statusCode, expected.status, text);
    if (expected.contentType) assert.equal(String(reply.headers['content-type']).split(';')[0], expected.contentType);
    if (expected.html) assert.match(text, /^<!DOCTYPE html>.*404/s);
    else if (expected.text === undefined) assert.deepEqual(masked(JSON.parse(text)), masked(expected.json));
    else assert.equal(text, expected.text);
  });
}

function headersOf({ request: sent }: RecordedCase): Record<string, string> {
  const auth = 'auth' in sent && sent.auth ? credentials[sent.auth] : basic(project.publicKey, project.secretKey);
  return {
    ...(auth === undefined ? {} : { authorization: auth }),
    ...(sent.json === undefined ? {} : { 'content-type': 'application/json' }),
    ...(sent.encode === undefined ? {} : { 'content-encoding': sent.encode }),
    ...sent.headers,
  };
}

function bodyOf({ request: sent }: RecordedCase): Buffer | undefined {
  if (sent.filler !== undefined) return Buffer.from(JSON.stringify({ batch: [], filler: 'x'.repeat(sent.filler) }));
  const text = sent.text ?? (sent.json === undefined ? undefined : JSON.stringify(sent.json));
  if (text === undefined) return undefined;
  if (sent.encode === 'gzip') return gzipSync(text);
  if (sent.encode === 'deflate') return deflateSync(text);
  return Buffer.from(text);
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Values that differ from run to run, by their form. */
const forms: readonly [RegExp, string][] = [
  [/api_key\.id=\w+/g, 'api_key.id=<key>'],
  [uuid, '<id>'],
  [/\bcm[a-z0-9]{23}(?![a-z0-9])/g, '<id>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>'],
  [/\/\d{4}\/\d\d\/\d\d\/\d\d\/\d\d\//g, '/<minute>/'],
  [/00-[0-9a-f]{32}-[0-9a-f]{16}-01/g, '<traceparent>'],
  [/^https?:\/\/\S+$/g, '<url>'],
  [/^[\w-]{22}$/g, '<media id>'],
  [/^\d+$/g, '<number>'],
];

function masked(value: unknown): unknown {
  const text = JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member === 'number' && member > 1e12) return '<ms>';
    if (typeof member !== 'string') return member;
    return forms.reduce((masking, [pattern, form]) => masking.replace(pattern, form), member);
  });
  return JSON.parse(text.replaceAll(uuid, '<id>')); // a resolution graph has ids as keys
}
