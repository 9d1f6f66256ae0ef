// Wrong requests are refused as OpenAI refuses them: status, type, code and param, in its envelope.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { AuthenticationError } from 'openai';
import { labKey, testModel } from './testing.ts';

interface Refused {
  readonly name: string;
  readonly body: unknown;
  readonly status?: number;
  readonly code: string | null;
  readonly param?: string | null;
}

const hello = [{ role: 'user', content: 'Hello' }];
const tool = { type: 'function', function: { name: 'look' } };
const valid = { model: 'gpt-4o', messages: hello };

const cases: Refused[] = [
  { name: 'malformed JSON', body: '{"model":', code: null },
  { name: 'JSON that is no object', body: [1], code: null },
  { name: 'no model', body: { messages: hello }, code: null },
  { name: 'unknown model', body: { ...valid, model: 'gpt-9' }, status: 404, code: 'model_not_found' },
  { name: 'no messages', body: { model: 'gpt-4o' }, code: 'missing_required_parameter', param: 'messages' },
  { name: 'empty messages', body: { ...valid, messages: [] }, code: 'empty_array', param: 'messages' },
  {
    name: 'no role',
    body: { ...valid, messages: [{ content: 'x' }] },
    code: 'missing_required_parameter',
    param: 'messages[0].role',
  },
  {
    name: 'invalid role',
    body: { ...valid, messages: [{ role: 'robot', content: 'x' }] },
    code: 'invalid_value',
    param: 'messages[0].role',
  },
  {
    name: 'no content',
    body: { ...valid, messages: [{ role: 'user' }] },
    code: 'missing_required_parameter',
    param: 'messages[0].content',
  },
  {
    name: 'unknown part',
    body: { ...valid, messages: [{ role: 'user', content: [{ type: 'smell' }] }] },
    code: 'invalid_value',
    param: 'messages[0].content[0].type',
  },
  {
    name: 'tool answer without call',
    body: { ...valid, messages: [{ role: 'tool', tool_call_id: 'a', content: 'x' }] },
    code: null,
    param: 'messages.[0].role',
  },
  {
    name: 'call without tool answer',
    body: { ...valid, messages: [{ role: 'assistant', tool_calls: [{ id: 'a' }] }, ...hello] },
    code: null,
    param: 'messages.[1].role',
  },
  { name: 'unknown parameter', body: { ...valid, mesages: [] }, code: 'unknown_parameter', param: 'mesages' },
  {
    name: 'temperature too high',
    body: { ...valid, temperature: 3 },
    code: 'decimal_above_max_value',
    param: 'temperature',
  },
  { name: 'n too low', body: { ...valid, n: 0 }, code: 'integer_below_min_value', param: 'n' },
  { name: 'stream of wrong type', body: { ...valid, stream: 'yes' }, code: 'invalid_type', param: 'stream' },
  {
    name: 'stream options without stream',
    body: { ...valid, stream_options: { include_usage: true } },
    code: null,
    param: 'stream_options',
  },
  { name: 'empty tools', body: { ...valid, tools: [] }, code: 'empty_array', param: 'tools' },
  { name: 'tool choice without tools', body: { ...valid, tool_choice: 'auto' }, code: null, param: 'tool_choice' },
  {
    name: 'choice of a tool not offered',
    body: { ...valid, tools: [tool], tool_choice: { type: 'function', function: { name: 'leap' } } },
    code: null,
    param: 'tool_choice',
  },
  {
    name: 'tool name of wrong form',
    body: { ...valid, tools: [{ type: 'function', function: { name: 'a b' } }] },
    code: 'invalid_value',
    param: 'tools[0].function.name',
  },
  {
    name: 'JSON mode without the word',
    body: { ...valid, response_format: { type: 'json_object' } },
    code: null,
    param: 'messages',
  },
  {
    name: 'unknown format',
    body: { ...valid, response_format: { type: 'xml' } },
    code: 'invalid_value',
    param: 'response_format.type',
  },
  {
    name: 'too long',
    body: { ...valid, messages: [{ role: 'user', content: 'x'.repeat(4_000) }] },
    code: 'context_length_exceeded',
    param: 'messages',
  },
];

test('each wrong request gets the status, type, code and param of the vendor, and no effect', async () => {
  await using model = await testModel({ contextTokensMax: 500 });
  for (const refused of cases) {
    const response = await fetch(`${model.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${labKey}`, 'content-type': 'application/json' },
      body: typeof refused.body === 'string' ? refused.body : JSON.stringify(refused.body),
    });
    const { error } = (await response.json()) as { error: Record<string, unknown> };
    assert.equal(response.status, refused.status ?? 400, refused.name);
    assert.deepEqual(
      [error['type'], error['code'], error['param']],
      ['invalid_request_error', refused.code, refused.param ?? null],
      refused.name,
    );
    assert.equal(typeof error['message'], 'string', refused.name);
  }
  assert.deepEqual(model.vendor.ledger.effectsAfter(0), []);
});

test('keys: none, a wrong one, and the error the official client makes of it', async () => {
  await using model = await testModel();
  const bare = await fetch(`${model.baseUrl}/models`);
  assert.equal(bare.status, 401);
  assert.equal(((await bare.json()) as { error: { code: unknown } }).error.code, null);

  const stranger = new OpenAI({ baseURL: model.baseUrl, apiKey: 'sk-stranger-000000000000', maxRetries: 0 });
  await assert.rejects(stranger.models.list(), (error) => {
    assert.ok(error instanceof AuthenticationError);
    assert.equal(error.code, 'invalid_api_key');
    assert.ok(!error.message.includes('sk-stranger-000000000000'));
    return true;
  });
});

test('wrong paths and methods are refused in the envelope', async () => {
  await using model = await testModel();
  const headers = { authorization: `Bearer ${labKey}` };
  const got = await fetch(`${model.baseUrl}/chat/completions`, { headers });
  assert.equal(got.status, 405);
  const lost = await fetch(`${model.baseUrl}/chats`, { headers });
  assert.equal(lost.status, 404);
  assert.equal(((await lost.json()) as { error: { type: string } }).error.type, 'invalid_request_error');
  await assert.rejects(model.client.models.retrieve('gpt-9'), { status: 404, code: 'model_not_found' });
});
