import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExchangeClose, ExchangeOpen } from '#journal';
import { encodeExport, unitsOf } from './item.ts';
import { exchangeItem, type FoldedExchange } from './spans.ts';
import { answerBytes, closeOf, hex, openOf, requestBytes } from './testing/exchanges.ts';
import { strictSpans } from './testing/fake-langfuse.ts';

type Plain = Record<string, unknown>;

function exchangeOf(
  id: string,
  changes: { open?: Partial<ExchangeOpen>; close?: Partial<ExchangeClose> | 'none'; answer?: Uint8Array },
): FoldedExchange {
  const open = openOf(id, changes.open);
  const close = changes.close === 'none' ? undefined : closeOf(open, changes.close);
  return { sequence: 7, open, request: requestBytes, answer: changes.answer ?? answerBytes, close };
}

/** The spans of an exchange as Langfuse's intake sees them, attributes flattened. */
function rendered(exchange: FoldedExchange): { spans: (Plain & { flat: Plain })[]; text: string } {
  const text = encodeExport(unitsOf(exchangeItem(exchange, { stamp: 'shop' })));
  const spans = strictSpans(text).map(({ span }) => ({ ...span, flat: flat(span['attributes'] as KeyValues) }));
  return { spans, text };
}

type KeyValues = { key: string; value: Plain }[];

function flat(attributes: KeyValues): Plain {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const [kind, content] = Object.entries(value)[0] ?? [];
      if (kind === 'intValue') return [key, Number(content)];
      if (kind !== 'arrayValue') return [key, content];
      return [key, (content as { values: Plain[] }).values.map((item) => item['stringValue'])];
    }),
  );
}

const streamed = Buffer.from(
  [
    { id: 'c1', model: 'gpt-4o', choices: [], prompt_filter_results: [] },
    {
      id: 'c1',
      model: 'gpt-4o',
      choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }],
    },
    { id: 'c1', choices: [{ index: 0, delta: { content: 'Grüße \u2028' }, finish_reason: null }] },
    { id: 'c1', choices: [{ index: 0, delta: { content: 'dir' }, finish_reason: null }] },
    {
      choices: [
        {
          index: 0,
          delta: {
            tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'look', arguments: '' } }],
          },
        },
      ],
    },
    { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: '{"q":' } }] } }] },
    { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: '1}' } }] } }] },
    { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
    { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 } },
  ]
    .map((event) => `data: ${JSON.stringify(event)}\n\n`)
    .join('') + ': heartbeat\n\ndata: [DONE]\n\n',
);

describe('an exchange as spans', () => {
  it('gives one trace: a generation with one child per attempt', () => {
    const failed = {
      rung: 'model',
      upstream: 'west',
      spanId: hex(16, 'first attempt'),
      startedAtMs: openOf('a').startedAtMs + 1,
      endedAtMs: openOf('a').startedAtMs + 5,
      outcome: 'failed' as const,
      status: 429,
      error: 'rate_limit_exceeded',
    };
    const base = closeOf(openOf('a'));
    const { spans } = rendered(
      exchangeOf('a', {
        open: { userId: 'u1', sessionId: 's1' },
        close: { attempts: [failed, ...base.attempts], rung: 'backup' },
      }),
    );
    const [root, first, second] = spans;
    assert.equal(spans.length, 3);
    assert.equal(root?.['traceId'], openOf('a').traceId);
    assert.equal(root?.['parentSpanId'], undefined);
    assert.equal(root?.['startTimeUnixNano'], `${openOf('a').startedAtMs}000000`);
    assert.equal(first?.['parentSpanId'], root?.['spanId']);
    assert.equal(second?.['parentSpanId'], root?.['spanId']);
    assert.deepEqual(first?.['status'], { code: 2, message: 'rate_limit_exceeded' });
    const expected: Plain = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'assistant',
      'gen_ai.request.stream': false,
      'gen_ai.request.temperature': 0.2,
      'gen_ai.request.max_tokens': 64,
      'gen_ai.response.id': 'chatcmpl-1',
      'gen_ai.response.model': 'gpt-4o-2024-11-20',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': 20,
      'gen_ai.usage.output_tokens': 5,
      'gen_ai.usage.cache_read.input_tokens': 8,
      'gen_ai.usage.reasoning.output_tokens': 2,
      'langfuse.observation.type': 'generation',
      'langfuse.observation.level': 'DEFAULT',
      'langfuse.observation.model.name': 'gpt-4o-2024-11-20',
      'langfuse.observation.model.parameters': '{"temperature":0.2,"max_tokens":64}',
      'langfuse.observation.usage_details':
        '{"input":12,"output":3,"input_cached_tokens":8,"output_reasoning_tokens":2,"total":25}',
      'langfuse.observation.output': '{"role":"assistant","content":"Four."}',
      'langfuse.environment': 'default',
      'langfuse.trace.name': 'chat',
      'langfuse.trace.tags': ['route:chat', 'site:home'],
      'user.id': 'u1',
      'session.id': 's1',
      'langfuse.observation.metadata.outcome': 'answered',
      'langfuse.observation.metadata.rung': 'backup',
      'langfuse.observation.metadata.epoch': '1.1',
      'langfuse.observation.metadata.behavior': 'b'.repeat(64),
    };
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(root?.flat[key], value, key);
    const input = JSON.parse(String(root?.flat['gen_ai.input.messages'])) as unknown[];
    assert.deepEqual(input[1], { role: 'user', parts: [{ type: 'text', content: 'What is two and two?' }] });
    const output = JSON.parse(String(root?.flat['gen_ai.output.messages'])) as unknown[];
    assert.deepEqual(output, [
      { role: 'assistant', parts: [{ type: 'text', content: 'Four.' }], finish_reason: 'stop' },
    ]);
  });

  it('folds a stream into one message with its tool calls and usage', () => {
    const firstContentAtMs = openOf('s').startedAtMs + 120;
    const { spans } = rendered(
      exchangeOf('s', { open: { stream: true }, close: { firstContentAtMs }, answer: streamed }),
    );
    const root = spans[0]?.flat ?? {};
    assert.equal(
      root['langfuse.observation.output'],
      JSON.stringify({
        role: 'assistant',
        content: 'Grüße \u2028dir',
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"q":1}' } }],
      }),
    );
    const [message] = JSON.parse(String(root['gen_ai.output.messages'])) as Plain[];
    assert.equal(message?.['finish_reason'], 'tool_call');
    assert.equal(root['gen_ai.response.time_to_first_chunk'], 0.12);
    assert.equal(root['langfuse.observation.completion_start_time'], new Date(firstContentAtMs).toISOString());
    assert.equal(root['gen_ai.usage.input_tokens'], 9);
  });

  it('shows what an interrupted exchange had said, as an error with its outcome', () => {
    const cut = streamed.subarray(0, streamed.indexOf('dir') - 4);
    const { spans } = rendered(exchangeOf('i', { open: { stream: true }, close: 'none', answer: cut }));
    assert.equal(spans.length, 1);
    const root = spans[0]?.flat ?? {};
    assert.equal(root['langfuse.observation.level'], 'ERROR');
    assert.equal(root['langfuse.observation.status_message'], 'interrupted');
    assert.equal(root['langfuse.observation.metadata.outcome'], 'interrupted');
    assert.equal(root['error.type'], 'interrupted');
    assert.match(String(root['langfuse.observation.output']), /Grüße/);
    assert.equal(spans[0]?.['endTimeUnixNano'], spans[0]?.['startTimeUnixNano']);
  });

  it('says client_gone as a warning and truncated as an error', () => {
    const level = (outcome: ExchangeClose['outcome']): unknown =>
      rendered(exchangeOf('o', { close: { outcome } })).spans[0]?.flat['langfuse.observation.level'];
    assert.deepEqual((['refused', 'client_gone', 'truncated', 'failed'] as const).map(level), [
      'WARNING',
      'WARNING',
      'ERROR',
      'ERROR',
    ]);
  });

  it('has no bodies where the route captures metadata only, and the usage that the gateway noted', () => {
    const usage = { prompt_tokens: 4, completion_tokens: 2, 'prompt_tokens_details.cached_tokens': 1 };
    const { spans, text } = rendered(exchangeOf('m', { open: { capture: 'metadata' }, close: { usage } }));
    assert.doesNotMatch(text, /two and two|Four/);
    assert.equal(spans[0]?.flat['gen_ai.usage.cache_read.input_tokens'], 1);
    assert.equal(spans[0]?.flat['langfuse.observation.input'], undefined);
  });

  it('carries an error envelope as the output', () => {
    const answer = Buffer.from(
      '{"error":{"message":"no","type":"server_error","param":null,"code":"all_rungs_failed"}}',
    );
    const { spans } = rendered(
      exchangeOf('e', { close: { outcome: 'failed', status: 503, error: 'all_rungs_failed' }, answer }),
    );
    assert.match(String(spans[0]?.flat['langfuse.observation.output']), /all_rungs_failed/);
    assert.deepEqual(spans[0]?.['status'], { code: 2, message: 'failed: all_rungs_failed' });
  });

  it('gives the same bytes on every replay', () => {
    for (const exchange of [
      exchangeOf('r', { open: { stream: true, startedAtMs: 1_767_268_800_123.25 }, answer: streamed }),
      exchangeOf('r', { close: 'none' }),
    ]) {
      const again = structuredClone(exchange);
      assert.equal(rendered(exchange).text, rendered(again).text);
    }
    const { spans } = rendered(exchangeOf('r', { open: { startedAtMs: 1_767_268_800_123.25 } }));
    assert.equal(spans[0]?.['startTimeUnixNano'], '1767268800123250000');
  });
});
