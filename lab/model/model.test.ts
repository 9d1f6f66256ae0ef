// The official client is the judge of what the simulated model answers, streamed and not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type OpenAI from 'openai';
import { testModel, type TestModel } from './testing.ts';

type Messages = OpenAI.ChatCompletionMessageParam[];
const ask = (content: string): Messages => [{ role: 'user', content }];

async function textOf(model: TestModel, content: string, name = 'gpt-4o'): Promise<string | null | undefined> {
  const reply = await model.client.chat.completions.create({ model: name, messages: ask(content) });
  return reply.choices[0]?.message.content;
}

test('a reply has the shape, the usage and the headers of the vendor', async () => {
  await using model = await testModel();
  const { data, response } = await model.client.chat.completions
    .create({ model: 'gpt-4o', messages: ask('Tell me about the harbour.') })
    .withResponse();
  assert.equal(data.object, 'chat.completion');
  assert.match(data.id, /^chatcmpl-/);
  assert.match(data.system_fingerprint ?? '', /^fp_/);
  assert.equal(data.choices[0]?.finish_reason, 'stop');
  assert.equal(data.usage?.total_tokens, (data.usage?.prompt_tokens ?? 0) + (data.usage?.completion_tokens ?? 0));
  assert.match(response.headers.get('x-request-id') ?? '', /^req_/);
  assert.ok(response.headers.has('openai-processing-ms'));
  assert.ok(response.headers.has('x-ratelimit-remaining-requests'));
});

test('a stream says the same as the reply, then finishes, then gives usage when asked', async () => {
  await using model = await testModel();
  const messages = ask('Describe the journey in 30 words.');
  const whole = await model.client.chat.completions.create({ model: 'gpt-4o', messages });
  const stream = await model.client.chat.completions.create({
    model: 'gpt-4o',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  const finishes: (string | null | undefined)[] = [];
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
    if (chunk.choices.length === 0) usage = chunk.usage;
  }
  assert.equal(text, whole.choices[0]?.message.content);
  assert.deepEqual(finishes, ['stop']);
  assert.deepEqual(usage, whole.usage);
});

test('equal models answer equally at every endpoint, another model answers differently', async () => {
  await using home = await testModel();
  await using partner = await testModel({ region: 'germanywestcentral' });
  await using backup = await testModel({ models: ['small-1'], manner: 'chatty' });
  const question = 'How does the relay work?';
  assert.equal(await textOf(home, question), await textOf(partner, question));
  assert.equal(await textOf(home, question), await textOf(partner, question, 'gpt-4o-2024-08-06'));
  assert.notEqual(await textOf(home, question), await textOf(backup, question, 'small-1'));
  assert.notEqual(await textOf(home, 'What is 6 * 7?'), await textOf(backup, 'What is 6 * 7?', 'small-1'));
  assert.notEqual(await textOf(home, question), await textOf(home, 'How does the journal work?'));
});

test('instructions in the prompt are followed', async () => {
  await using model = await testModel();
  const cases: [string, string][] = [
    ['Reply with the word Understudy and nothing else.', 'Understudy'],
    ['Answer with only the word "sûr".', 'sûr'],
    ['What is 17 + 25 * (3 - 1)?', '67'],
    ['Please compute 12 times 12.', '144'],
    ['Repeat exactly: Zwei Boxkämpfer jagen Eva.', 'Zwei Boxkämpfer jagen Eva.'],
    ['Sort these words alphabetically: pear, apple, fig', 'apple, fig, pear'],
    ['Write in upper case: fail over', 'FAIL OVER'],
    ['Give the fields as JSON: order=4711, city: "Lyon", paid=true.', '{"order":4711,"city":"Lyon","paid":true}'],
  ];
  for (const [prompt, expected] of cases) assert.equal(await textOf(model, prompt), expected, prompt);
});

test('tools: called when the user names one that is offered, never otherwise', async () => {
  await using model = await testModel();
  const tools: OpenAI.ChatCompletionTool[] = [
    {
      type: 'function',
      function: {
        name: 'lookup_order',
        parameters: { type: 'object', properties: { order: { type: 'integer' } }, required: ['order'] },
      },
    },
  ];
  const messages = ask('Please call lookup_order with order=4711.');
  const called = await model.client.chat.completions.create({ model: 'gpt-4o', messages, tools });
  const call = called.choices[0]?.message.tool_calls?.[0];
  assert.equal(called.choices[0]?.finish_reason, 'tool_calls');
  assert.ok(call?.type === 'function');
  assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ['lookup_order', { order: 4711 }]);

  const streamed = await model.client.chat.completions
    .stream({ model: 'gpt-4o', messages, tools })
    .finalChatCompletion();
  const streamedCall = streamed.choices[0]?.message.tool_calls?.[0];
  assert.ok(streamedCall?.type === 'function');
  assert.equal(streamedCall.function.arguments, call.function.arguments);

  const withheld = await model.client.chat.completions.create({ model: 'gpt-4o', messages });
  assert.equal(withheld.choices[0]?.finish_reason, 'stop');

  const answered = await model.client.chat.completions.create({
    model: 'gpt-4o',
    tools,
    messages: [...messages, called.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'shipped' }],
  });
  assert.equal(answered.choices[0]?.message.content, 'The tool answered: shipped');
});

test('JSON formats, several choices, a token limit and stop sequences are kept', async () => {
  await using model = await testModel();
  const create = (more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>, prompt: string) =>
    model.client.chat.completions.create({ model: 'gpt-4o', messages: ask(prompt), ...more });
  const object = await create({ response_format: { type: 'json_object' } }, 'JSON please: a=1');
  assert.deepEqual(JSON.parse(object.choices[0]?.message.content ?? ''), { a: 1 });

  const schema = { type: 'object', properties: { city: { type: 'string' }, size: { enum: ['s', 'm'] } } };
  const shaped = await create(
    { response_format: { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } } },
    'The city=Lyon is of size=m.',
  );
  assert.deepEqual(JSON.parse(shaped.choices[0]?.message.content ?? ''), { city: 'Lyon', size: 'm' });

  const several = await create({ n: 3 }, 'Say something.');
  assert.deepEqual(
    several.choices.map((choice) => choice.index),
    [0, 1, 2],
  );
  const short = await create({ max_completion_tokens: 3 }, 'Say something in 20 words.');
  assert.equal(short.choices[0]?.finish_reason, 'length');
  assert.equal(short.usage?.completion_tokens, 3);
  const stopped = await create({ stop: ['fig'] }, 'Repeat exactly: apple fig pear');
  assert.equal(stopped.choices[0]?.message.content, 'apple ');
});

test('models are listed', async () => {
  await using model = await testModel();
  const page = await model.client.models.list();
  assert.deepEqual(
    page.data.map((entry) => entry.id),
    ['gpt-4o', 'gpt-4o-2024-08-06'],
  );
  assert.equal((await model.client.models.retrieve('gpt-4o')).object, 'model');
});

test('the ledger tells who was served what, and under which epoch', async () => {
  await using model = await testModel();
  await model.client.chat.completions.create(
    { model: 'gpt-4o', messages: ask('Hello') },
    {
      headers: {
        'x-understudy-epoch': '1.2',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
    },
  );
  const [effect] = model.vendor.ledger.effectsAfter(0, { type: 'completion' });
  assert.equal(effect?.epoch, '1.2');
  assert.deepEqual(
    [effect.detail['model'], effect.detail['end'], effect.detail['traceId']],
    ['gpt-4o', 'finished', '0af7651916cd43dd8448eb211c80319c'],
  );
});
