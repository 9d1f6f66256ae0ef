// The message rung: the declared message as a valid completion, or as a valid stream. No model is called.

import type { StreamSink } from './event-stream.ts';
import type { Exchange } from './exchange.ts';
import type { ChatRequest } from './request.ts';
import type { AnswerFacts } from './facts.ts';
import { replyWhole } from './reply.ts';
import { replyStream } from './reply-stream.ts';

const noUsage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
const speaker = { rung: 'message', upstream: '' };

export async function replyMessage(exchange: Exchange, chat: ChatRequest, text: string): Promise<void> {
  const { clock } = exchange.core.options;
  exchange.firstContentAtMs = clock.wallMs();
  const base = {
    id: `chatcmpl-${exchange.id}`,
    created: Math.floor(clock.wallMs() / 1_000),
    model: chat.model,
  };
  const facts: AnswerFacts = {
    responseId: base.id,
    responseModel: chat.model,
    finishReasons: ['stop'],
    usage: noUsage,
  };
  if (!chat.stream) {
    const message = { role: 'assistant', content: text, refusal: null };
    const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }];
    const body = Buffer.from(JSON.stringify({ ...base, object: 'chat.completion', choices, usage: noUsage }));
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    return replyWhole(exchange, { ...speaker, headers, body, facts });
  }
  const chunk = { ...base, object: 'chat.completion.chunk' };
  const choice = (delta: object, reason: string | null): object[] => [
    { index: 0, delta, logprobs: null, finish_reason: reason },
  ];
  const first = eventsOf([
    { ...chunk, choices: choice({ role: 'assistant', content: '' }, null) },
    { ...chunk, choices: choice({ content: text }, null) },
  ]);
  const usage = chat.includeUsage ? [{ ...chunk, choices: [], usage: noUsage }] : [];
  const held = Buffer.concat([
    eventsOf([{ ...chunk, choices: choice({}, 'stop') }, ...usage]),
    Buffer.from('data: [DONE]\n\n'),
  ]);
  return replyStream(exchange, {
    ...speaker,
    headers: {},
    stream: {
      forward(sink: StreamSink) {
        sink.pass(first);
        sink.complete(held);
      },
      pause: () => undefined,
      resume: () => undefined,
      abort: () => undefined,
      facts: () => facts,
    },
    ended: () => undefined,
  });
}

function eventsOf(values: readonly object[]): Buffer {
  return Buffer.from(values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join(''));
}
