// Asks a gateway one question on the rehearsal lane and reads from the answer who spoke. Never rejects: what went wrong is
// part of what came back.

import { Agent, request, type Dispatcher } from 'undici';
import { codeOf, isRecord, tryParseJson, type Clock } from '#base';
import type { CanaryPrompt } from '#stamp';

export interface Question {
  /** The gateway's own address, without `/v1`. */
  readonly gatewayUrl: string;
  readonly clientKey: string;
  /** The name clients put into `model`. */
  readonly model: string;
  readonly messages: CanaryPrompt['messages'];
  /** Value of `x-understudy-rehearsal`: `canary`, or faults to inject. */
  readonly rehearsal: string;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What the gateway's headers say about an answer; absent where it said nothing. */
export interface Speaker {
  readonly rung?: string;
  readonly upstream?: string;
  readonly behavior?: string;
  readonly traceId?: string;
  readonly attempts?: string;
  readonly mode?: string;
}

export type Heard =
  | {
      readonly kind: 'answered';
      readonly speaker: Speaker;
      readonly content: string;
      readonly finishReason: string;
      readonly model: string;
      readonly systemFingerprint: string | undefined;
      readonly latencyMs: number;
    }
  | {
      readonly kind: 'refused';
      readonly speaker: Speaker;
      readonly status: number;
      /** The body is OpenAI's error envelope. */
      readonly envelope: boolean;
      readonly code: string;
    }
  /** Status 200, but no completion in it. */
  | { readonly kind: 'malformed'; readonly speaker: Speaker }
  | { readonly kind: 'silent'; readonly code: string }
  | { readonly kind: 'aborted' };

const bodyBytesMax = 4_194_304;

export async function ask(question: Question): Promise<Heard> {
  const { clock } = question;
  const deadline = new AbortController();
  const cancel = clock.after(question.deadlineMs, () => deadline.abort());
  const agent = new Agent({ pipelining: 0 });
  const startedMs = clock.monotonicMs();
  try {
    const response = await request(`${question.gatewayUrl.replace(/\/+$/, '')}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${question.clientKey}`,
        'content-type': 'application/json',
        'x-understudy-rehearsal': question.rehearsal,
      },
      body: JSON.stringify({ model: question.model, messages: question.messages }),
      signal: AbortSignal.any([question.signal, deadline.signal]),
      dispatcher: agent,
    });
    const body = await bodyOf(response);
    return readReply(response, body, clock.monotonicMs() - startedMs);
  } catch (error) {
    if (deadline.signal.aborted) return { kind: 'silent', code: 'TIMEOUT' };
    if (question.signal.aborted) return { kind: 'aborted' };
    return { kind: 'silent', code: codeOf(error) };
  } finally {
    cancel();
    await agent.destroy();
  }
}

async function bodyOf(response: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bodyBytesMax) break; // Too long to be an answer to a canary; what is left will not parse.
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function readReply(response: Dispatcher.ResponseData, body: string, latencyMs: number): Heard {
  const speaker = speakerOf(response.headers);
  const parsed = tryParseJson(body);
  const value = parsed.ok && isRecord(parsed.value) ? parsed.value : {};
  if (response.statusCode !== 200) {
    const error = isRecord(value['error']) ? value['error'] : {};
    const envelope = typeof error['message'] === 'string' && typeof error['type'] === 'string';
    const code = typeof error['code'] === 'string' ? error['code'] : 'no code';
    return { kind: 'refused', speaker, status: response.statusCode, envelope, code };
  }
  const choice: unknown = Array.isArray(value['choices']) ? value['choices'][0] : undefined;
  if (!isRecord(choice) || !isRecord(choice['message'])) return { kind: 'malformed', speaker };
  const content = choice['message']['content'];
  return {
    kind: 'answered',
    speaker,
    content: typeof content === 'string' ? content : '',
    finishReason: String(choice['finish_reason']),
    model: typeof value['model'] === 'string' ? value['model'] : 'unnamed',
    systemFingerprint: typeof value['system_fingerprint'] === 'string' ? value['system_fingerprint'] : undefined,
    latencyMs,
  };
}

function speakerOf(headers: Dispatcher.ResponseData['headers']): Speaker {
  const names = {
    rung: 'x-understudy-rung',
    upstream: 'x-understudy-upstream',
    behavior: 'x-understudy-behavior',
    traceId: 'x-understudy-trace',
    attempts: 'x-understudy-attempts',
    mode: 'x-understudy-mode',
  };
  const found = Object.entries(names).map(([key, name]) => [key, headers[name]] as const);
  return Object.fromEntries(found.filter(([, value]) => typeof value === 'string' && value !== ''));
}
