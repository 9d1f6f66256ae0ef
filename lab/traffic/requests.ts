// What the loops ask: small questions of a support desk, streamed and not, some with a reading and a writing tool.

import type OpenAI from 'openai';
import type { Randomness } from '#base';

/** The tools the traffic offers; the stamp's route declares the same names with their effects. */
export const readTool = 'lookup_order';
export const writeTool = 'refund_order';

export interface RequestShares {
  /** Share of streamed requests. */
  readonly streamShare: number;
  /** Share of requests that offer tools. */
  readonly toolShare: number;
}

export interface PlannedRequest {
  readonly stream: boolean;
  readonly body: Omit<OpenAI.ChatCompletionCreateParamsNonStreaming, 'stream' | 'model'>;
}

const orderTool = (name: string, description: string): OpenAI.ChatCompletionTool => ({
  type: 'function',
  function: {
    name,
    description,
    parameters: { type: 'object', properties: { order: { type: 'integer' } }, required: ['order'] },
  },
});

const tools = [
  orderTool(readTool, 'Reads the state of an order.'),
  orderTool(writeTool, 'Pays an order back. Changes the world.'),
];

const questions = [
  (order: number) => `Where is order ${order}? Answer in 24 words.`,
  (order: number) => `Summarise the case of order ${order} in 40 words.`,
  (order: number) => `What is ${order} + 17?`,
  (order: number) => `Give the fields as JSON: order=${order}, state=open, paid=true.`,
];

export function planRequest(randomness: Randomness, shares: RequestShares): PlannedRequest {
  const order = 1_000 + Math.floor(randomness.fraction() * 9_000);
  const stream = randomness.fraction() < shares.streamShare;
  if (randomness.fraction() < shares.toolShare) {
    const tool = randomness.fraction() < 0.5 ? readTool : writeTool;
    return { stream, body: { messages: messagesFor(`Please call ${tool} with order=${order}.`), tools } };
  }
  const question = questions[Math.floor(randomness.fraction() * questions.length)];
  return { stream, body: { messages: messagesFor(question ? question(order) : 'Reply with the word ready.') } };
}

function messagesFor(question: string): OpenAI.ChatCompletionMessageParam[] {
  return [
    { role: 'system', content: 'You help the support desk. Be brief.' },
    { role: 'user', content: question },
  ];
}
