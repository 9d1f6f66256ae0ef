// One attempt at one upstream: makes the call and judges the answer. What comes back is a whole answer, a stream whose
// first content is there, or a fault; never a half of one.

import type { IncomingHttpHeaders } from 'node:http';
import { isRecord, tryParseJson } from '#base';
import type { Fault } from '#resilience';
import { callUpstream, type ByteSource, type CallOptions } from './call.ts';
import { EventStream } from './event-stream.ts';
import { FactsReader, type AnswerFacts } from './facts.ts';
import { errorObjectOf, faultOfObject, faultOfStatus } from './upstream-error.ts';

/** A whole answer is held until its record is durable, so it must fit into memory many times over. */
const answerBytesMax = 67_108_864;
const errorBytesMax = 262_144;

export type AttemptResult =
  | {
      readonly kind: 'whole';
      readonly headers: IncomingHttpHeaders;
      readonly body: Buffer;
      readonly facts: AnswerFacts;
    }
  | { readonly kind: 'stream'; readonly headers: IncomingHttpHeaders; readonly stream: EventStream }
  | { readonly kind: 'fault'; readonly fault: Fault }
  /** The right to act ended before the request was written. */
  | { readonly kind: 'not-written' }
  /** The exchange ended: its deadline, its client, or the gateway. */
  | { readonly kind: 'aborted' };

export interface AttemptOptions extends CallOptions {
  readonly stream: boolean;
  /** Takes secrets out of what the upstream says in an error. */
  clean(fault: Fault): Fault;
}

export async function attempt(options: AttemptOptions): Promise<AttemptResult> {
  const call = await callUpstream(options);
  if (call.kind !== 'head') return call;
  const { status, headers, body } = call;
  const coding = headers['content-encoding'];
  if (coding !== undefined && coding !== 'identity') {
    body.abort();
    return malformed(`the answer is encoded as ${JSON.stringify(coding)}, which was not asked for`);
  }
  const isEventStream = /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
  const result =
    status === 200 && isEventStream && options.stream
      ? await readStream(new EventStream(body, (fault) => options.clean(fault)), headers)
      : await readWhole({ status, headers, body, isEventStream, stream: options.stream, clock: options.clock });
  if (result.kind !== 'fault') return result;
  return options.signal.aborted ? { kind: 'aborted' } : { kind: 'fault', fault: options.clean(result.fault) };
}

async function readStream(stream: EventStream, headers: IncomingHttpHeaders): Promise<AttemptResult> {
  stream.start();
  const fault = await stream.committed;
  return fault ? { kind: 'fault', fault } : { kind: 'stream', headers, stream };
}

interface WholeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: ByteSource;
  readonly isEventStream: boolean;
  readonly stream: boolean;
  readonly clock: CallOptions['clock'];
}

async function readWhole(answer: WholeAnswer): Promise<AttemptResult> {
  const { status, headers } = answer;
  if (answer.isEventStream && status === 200) {
    answer.body.abort();
    return malformed('the answer is a stream that was not asked for');
  }
  const collected = await collect(answer.body, status === 200 ? answerBytesMax : errorBytesMax);
  if (status !== 200) {
    // The status alone says enough when the body did not come through.
    const body = collected.ok ? collected.bytes : Buffer.alloc(0);
    return { kind: 'fault', fault: faultOfStatus({ status, headers, body, wallMs: answer.clock.wallMs() }) };
  }
  if (!collected.ok) return { kind: 'fault', fault: collected.fault };
  return judgeWhole(collected.bytes, headers, answer.stream);
}

function judgeWhole(body: Buffer, headers: IncomingHttpHeaders, streamWanted: boolean): AttemptResult {
  const empty: Fault = { source: 'empty', code: 'upstream_empty_answer', message: 'the answer was empty' };
  if (body.length === 0) return { kind: 'fault', fault: empty };
  const parsed = tryParseJson(body.toString('utf8'));
  if (!parsed.ok || !isRecord(parsed.value)) return malformed('the answer is not a JSON object');
  const error = errorObjectOf(parsed.value);
  if (error) return { kind: 'fault', fault: faultOfObject(error) };
  if (streamWanted) return malformed('the answer is not the stream that was asked for');
  const reader = new FactsReader();
  reader.note(parsed.value);
  if (!reader.anyChoice) return { kind: 'fault', fault: empty };
  return { kind: 'whole', headers, body, facts: reader.facts() };
}

type Collected = { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly fault: Fault };

function collect(source: ByteSource, bytesMax: number): Promise<Collected> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    source.read({
      data(chunk) {
        length += chunk.length;
        chunks.push(chunk);
        if (length <= bytesMax) return;
        source.abort();
        resolve({
          ok: false,
          fault: { source: 'malformed', code: 'upstream_malformed', message: 'the answer is too large' },
        });
      },
      end: () => resolve({ ok: true, bytes: Buffer.concat(chunks) }),
      fault: (fault) => resolve({ ok: false, fault }),
    });
  });
}

function malformed(message: string): AttemptResult {
  return { kind: 'fault', fault: { source: 'malformed', code: 'upstream_malformed', message } };
}
