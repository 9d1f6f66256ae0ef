// Asks a model endpoint for its list of models: the one call that costs nothing and still needs network, TLS, the right
// path and a valid credential. Each look opens a connection of its own, so that nothing kept alive hides a closed network.

import { Agent, request, type Dispatcher } from 'undici';
import { codeOf, type Clock } from '#base';
import { milliseconds, type Upstream } from '#stamp';

/** What came back, or why nothing did. `code` is a Node or undici error code, never a message of the other side. */
export type Sighting =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
      readonly latencyMs: number;
    }
  | { readonly kind: 'silent'; readonly code: string }
  | { readonly kind: 'timed-out'; readonly afterMs: number }
  | { readonly kind: 'aborted' };

/** A model list is a few kilobytes; a page of a proxy may be anything. */
const bodyBytesMax = 1_048_576;
/** A probe waits less than a request for an answer that needs no thinking. */
const answerTimeoutMsMax = 10_000;

export interface LookOptions {
  readonly credential: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** `GET {url}/models`. Never rejects; never puts the credential into what it returns. */
export async function lookAt(upstream: Upstream, options: LookOptions): Promise<Sighting> {
  const { clock } = options;
  const connectTimeoutMs = milliseconds(upstream.timeouts.connect);
  const deadlineMs = connectTimeoutMs + Math.min(milliseconds(upstream.timeouts.firstByte), answerTimeoutMsMax);
  const deadline = new AbortController();
  const cancel = clock.after(deadlineMs, () => deadline.abort());
  const agent = new Agent({ connect: { timeout: connectTimeoutMs }, pipelining: 0 });
  const startedMs = clock.monotonicMs();
  try {
    const response = await request(`${upstream.url.replace(/\/+$/, '')}/models`, {
      headers: { authorization: `Bearer ${options.credential}`, accept: 'application/json' },
      signal: AbortSignal.any([options.signal, deadline.signal]),
      dispatcher: agent,
    });
    const body = await bodyOf(response);
    const contentType = response.headers['content-type'];
    return {
      kind: 'answered',
      status: response.statusCode,
      contentType: typeof contentType === 'string' ? contentType : '',
      body,
      latencyMs: clock.monotonicMs() - startedMs,
    };
  } catch (error) {
    if (deadline.signal.aborted) return { kind: 'timed-out', afterMs: deadlineMs };
    if (options.signal.aborted) return { kind: 'aborted' };
    return { kind: 'silent', code: innermostCode(error) };
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
    if (length > bodyBytesMax) break; // Leaving the loop destroys the body; a list this long is judged as no list.
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** undici wraps the socket's error, and a failed connect to several addresses is an AggregateError. */
function innermostCode(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return innermostCode(thrown.errors[0]);
  const code = codeOf(thrown);
  if (code === 'UNEXPECTED' && thrown instanceof Error && thrown.cause !== undefined)
    return innermostCode(thrown.cause);
  return code;
}
