// A gateway for tests of this folder: it walks a ladder of fixed answers, obeys the rehearsal header, and says who spoke.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Route } from '#stamp';

export interface FakeGateway {
  readonly url: string;
  readonly requests: readonly { rehearsal: string; model: string; prompt: string }[];
}

export interface FakeGatewayOptions {
  readonly route: Route;
  readonly clientKey: string;
  /** What the model behind each rung says to a prompt. */
  readonly say: (prompt: string, upstream: string) => string;
  /** Changes of single answers, for the ways a gateway can be wrong. */
  readonly finishReason?: string;
  readonly ignoresRehearsal?: boolean;
  readonly withoutTrace?: boolean;
  /** Raw body instead of everything else. */
  readonly raw?: { readonly status: number; readonly body: string };
  readonly hangs?: boolean;
}

export async function fakeGateway(t: TestContext, options: FakeGatewayOptions): Promise<FakeGateway> {
  const requests: { rehearsal: string; model: string; prompt: string }[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const body = JSON.parse(text) as { model: string; messages: { content: string }[] };
      const rehearsal = String(request.headers['x-understudy-rehearsal']);
      const prompt = body.messages.at(-1)?.content ?? '';
      requests.push({ rehearsal, model: body.model, prompt });
      if (options.hangs) return;
      const known = request.headers.authorization === `Bearer ${options.clientKey}`;
      const reply = known
        ? replyTo({ rehearsal, prompt, number: requests.length }, options)
        : refusal(401, 'invalid_api_key');
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
      response.end(reply.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

function replyTo(asked: { rehearsal: string; prompt: string; number: number }, options: FakeGatewayOptions): Reply {
  if (options.raw) return { ...options.raw, headers: {} };
  const out = options.ignoresRehearsal ? [] : [...asked.rehearsal.matchAll(/=([a-z0-9-]+)/g)].map((match) => match[1]);
  const rung = options.route.ladder.find(
    (candidate) => candidate.rung === 'message' || !out.includes(candidate.upstream),
  );
  if (!rung) return refusal(503, 'ladder_exhausted');
  const content = rung.rung === 'message' ? rung.text : options.say(asked.prompt, rung.upstream);
  return {
    status: 200,
    headers: {
      'x-understudy-rung': rung.rung,
      ...(rung.rung === 'message' ? {} : { 'x-understudy-upstream': rung.upstream }),
      'x-understudy-behavior': 'b'.repeat(64),
      ...(options.withoutTrace ? {} : { 'x-understudy-trace': String(asked.number).padStart(32, '0') }),
    },
    body: JSON.stringify({
      model: 'gpt-4o',
      system_fingerprint: 'fp_1',
      choices: [{ message: { role: 'assistant', content }, finish_reason: options.finishReason ?? 'stop' }],
    }),
  };
}

function refusal(status: number, code: string): Reply {
  const body = JSON.stringify({ error: { message: 'refused', type: 'invalid_request_error', param: null, code } });
  return { status, headers: {}, body };
}
