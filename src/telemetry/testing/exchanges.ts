// Journal records of exchanges for tests, with everything a reader may look at.

import { createHash } from 'node:crypto';
import { sha256 } from '#base';
import type { ExchangeClose, ExchangeOpen, Journal } from '#journal';

export const baseMs = Date.UTC(2026, 0, 1, 12);

export function hex(length: number, seed: string): string {
  return createHash('sha256').update(seed).digest('hex').slice(0, length);
}

export function openOf(id: string, changes: Partial<ExchangeOpen> = {}): ExchangeOpen {
  return {
    exchange: `xc_${id}`,
    traceId: hex(32, `trace ${id}`),
    spanId: hex(16, `span ${id}`),
    startedAtMs: baseMs,
    site: 'home',
    epoch: '1.1',
    tenant: 'acme',
    client: 'shop',
    route: 'chat',
    requestedModel: 'assistant',
    stream: false,
    behavior: 'b'.repeat(64),
    mode: 'normal',
    withheldTools: [],
    capture: 'full',
    environment: 'default',
    headers: { 'user-agent': 'openai/js' },
    requestBytes: requestBytes.length,
    requestSha256: sha256(requestBytes),
    ...changes,
  };
}

export function closeOf(open: ExchangeOpen, changes: Partial<ExchangeClose> = {}): ExchangeClose {
  const startedAtMs = open.startedAtMs + 2;
  return {
    exchange: open.exchange,
    endedAtMs: open.startedAtMs + 250,
    outcome: 'answered',
    status: 200,
    rung: 'model',
    upstream: 'east',
    attempts: [
      {
        rung: 'model',
        upstream: 'east',
        spanId: hex(16, `attempt ${open.exchange}`),
        startedAtMs,
        endedAtMs: startedAtMs + 240,
        outcome: 'answered',
        status: 200,
      },
    ],
    answerBytes: answerBytes.length,
    answerSha256: sha256(answerBytes),
    ...changes,
  };
}

export const requestBytes = Buffer.from(
  JSON.stringify({
    model: 'assistant',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is two and two?' },
    ],
    temperature: 0.2,
    max_tokens: 64,
  }),
);

export const answerBytes = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_767_268_800,
    model: 'gpt-4o-2024-11-20',
    system_fingerprint: 'fp_1',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Four.', refusal: null }, finish_reason: 'stop' }],
    usage: {
      prompt_tokens: 20,
      completion_tokens: 5,
      total_tokens: 25,
      prompt_tokens_details: { cached_tokens: 8 },
      completion_tokens_details: { reasoning_tokens: 2 },
    },
  }),
);

/** Appends a whole exchange and waits until it is durable. Returns its open. */
export async function journalExchange(
  journal: Journal,
  id: string,
  changes: {
    open?: Partial<ExchangeOpen>;
    close?: Partial<ExchangeClose>;
    answer?: Uint8Array;
    noClose?: boolean;
  } = {},
): Promise<ExchangeOpen> {
  const open = openOf(id, changes.open);
  const answer = changes.answer ?? answerBytes;
  await journal.append({ kind: 'open', meta: { ...open }, body: requestBytes }).durable;
  await journal.append({ kind: 'part', meta: { exchange: open.exchange, offset: 0 }, body: answer }).durable;
  if (!changes.noClose) await journal.append({ kind: 'close', meta: { ...closeOf(open, changes.close) } }).durable;
  return open;
}
