// Each fault, as the official client meets it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APIError, RateLimitError, type OpenAI } from 'openai';
import type { Fault } from '../kit/mod.ts';
import { testModel, type TestModel } from './testing.ts';
import { contentFiltered, insufficientQuota, proxyFailure, rateLimited, serverFailure, specialFault } from './mod.ts';

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Tell me more in 40 words.' }];

interface Watched {
  readonly text: string;
  readonly finish: string | undefined;
  readonly error: unknown;
}

async function watch(model: TestModel, signal?: AbortSignal): Promise<Watched> {
  let text = '';
  let finish: string | undefined;
  try {
    const stream = await model.client.chat.completions.create(
      { model: 'gpt-4o', messages, stream: true },
      signal ? { signal } : {},
    );
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    return { text, finish, error: undefined };
  } catch (error) {
    return { text, finish, error };
  }
}

async function under(fault: Fault, see: (model: TestModel) => Promise<void>): Promise<void> {
  await using model = await testModel();
  model.vendor.faults.replace([fault]);
  await see(model);
}

const endsOf = (model: TestModel): unknown[] =>
  model.vendor.ledger.effectsAfter(0, { type: 'completion' }).map((effect) => effect.detail['end']);

test('cut-stream: some text, then a broken connection', () =>
  under(specialFault('cut-stream', { value: 5 }), async (model) => {
    const seen = await watch(model);
    assert.ok(seen.error instanceof Error);
    assert.notEqual(seen.text, '');
    assert.equal(seen.finish, undefined);
    assert.deepEqual(endsOf(model), ['cut']);
  }));

test('cut-stream without streaming: half a reply', () =>
  under(specialFault('cut-stream'), async (model) => {
    await assert.rejects(model.client.chat.completions.create({ model: 'gpt-4o', messages }));
    assert.deepEqual(endsOf(model), ['cut']);
  }));

test('malformed-event and error-event throw in the client', async () => {
  await under(specialFault('malformed-event'), async (model) => {
    assert.ok((await watch(model)).error instanceof SyntaxError);
  });
  await under(specialFault('error-event'), async (model) => {
    const { error } = await watch(model);
    assert.ok(error instanceof APIError);
    assert.equal(error.type, 'server_error');
  });
});

test('end-early and no-done end without an error: only the finish reason tells them apart', async () => {
  await under(specialFault('end-early'), async (model) => {
    const seen = await watch(model);
    assert.deepEqual([seen.error, seen.finish], [undefined, undefined]);
  });
  await under(specialFault('no-done'), async (model) => {
    const seen = await watch(model);
    assert.deepEqual([seen.error, seen.finish], [undefined, 'stop']);
  });
});

test('error-in-200: an envelope where an answer should be', () =>
  under(specialFault('error-in-200'), async (model) => {
    assert.ok((await watch(model)).error instanceof APIError);
    const reply: unknown = await model.client.chat.completions.create({ model: 'gpt-4o', messages });
    assert.ok((reply as { error?: unknown }).error);
    assert.deepEqual(endsOf(model), []);
  }));

test('stall-stream holds the client until it leaves', () =>
  under(specialFault('stall-stream', { value: 2 }), async (model) => {
    const leave = new AbortController();
    const seen = model.client.chat.completions.create(
      { model: 'gpt-4o', messages, stream: true },
      { signal: leave.signal },
    );
    let chunks = 0;
    for await (const _ of await seen) if (++chunks === 2) leave.abort();
    assert.equal(chunks, 2);
    assert.deepEqual(endsOf(model), ['cut']);
  }));

test('slow-tokens: a client that leaves early is recorded as gone', () =>
  under(specialFault('slow-tokens', { value: 20 }), async (model) => {
    const leave = new AbortController();
    const stream = await model.client.chat.completions.create(
      { model: 'gpt-4o', messages, stream: true },
      { signal: leave.signal },
    );
    for await (const _ of stream) leave.abort();
    while (endsOf(model).length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(endsOf(model), ['client-gone']);
  }));

test('429 with each wait header, quota, 5xx, content filter and a proxy page', async () => {
  const create = (model: TestModel) => model.client.chat.completions.create({ model: 'gpt-4o', messages });
  for (const header of ['retry-after', 'retry-after-ms', 'x-ms-retry-after-ms', 'x-ratelimit-reset-requests']) {
    await under(rateLimited({ [header]: '2' }), async (model) => {
      await assert.rejects(create(model), (error) => {
        assert.ok(error instanceof RateLimitError);
        assert.equal(error.code, 'rate_limit_exceeded');
        assert.equal(error.headers.get(header), '2');
        return true;
      });
    });
  }
  await under(insufficientQuota(), (model) =>
    assert.rejects(create(model), { code: 'insufficient_quota', status: 429 }),
  );
  await under(serverFailure(503), (model) => assert.rejects(create(model), { status: 503, type: 'server_error' }));
  await under(contentFiltered(), (model) => assert.rejects(create(model), { status: 400, code: 'content_filter' }));
  await under(proxyFailure(502), (model) => assert.rejects(create(model), { status: 502, code: undefined }));
});

test('a burst is over after its number of calls', () =>
  under(serverFailure(500, { times: 2 }), async (model) => {
    for (let call = 0; call < 2; call++)
      await assert.rejects(model.client.chat.completions.create({ model: 'gpt-4o', messages }));
    assert.ok(await model.client.chat.completions.create({ model: 'gpt-4o', messages }));
  }));
