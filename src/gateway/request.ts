// Reads a chat request: the body within its bound, and of it only what the gateway must know. Everything else passes
// untouched, whatever future fields it has.

import type { IncomingMessage } from 'node:http';
import { isRecord, tryParseJson } from '#base';
import { errors, type ApiError } from './errors.ts';
import { whereJsonBreaks } from './json-text.ts';

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ApiError };

export interface ChatRequest {
  readonly model: string;
  readonly stream: boolean;
  /** `stream_options.include_usage`: the last chunk of a stream carries the usage. */
  readonly includeUsage: boolean;
  /** The body as sent. */
  readonly bytes: Buffer;
  readonly text: string;
  readonly value: Record<string, unknown>;
}

/** Says what is wrong with the headers of a request with a JSON body, if anything. */
export function checkContentType(request: IncomingMessage): ApiError | undefined {
  const type = request.headers['content-type'];
  if (type === undefined) return errors.wrongContentType('The Content-Type header is missing; send application/json.');
  if (!/^application\/(?:json|[\w.-]+\+json)\s*(?:;|$)/i.test(type)) {
    return errors.wrongContentType(`Content-Type ${JSON.stringify(type.slice(0, 100))} is not application/json.`);
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return errors.wrongContentType(`Content-Encoding ${JSON.stringify(encoding.slice(0, 100))} is not supported.`);
  }
  return undefined;
}

/** The whole body, or what is wrong with it. A body over the bound is not read to its end. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Outcome<Buffer>> {
  const error = errors.bodyTooLarge(`The request body is larger than ${bytesMax} bytes.`);
  const tooLarge: Outcome<Buffer> = { ok: false, error };
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return tooLarge;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (outcome: Outcome<Buffer>): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      // What still comes is read and forgotten: a client that is writing could not read our answer otherwise.
      request.resume();
      resolve(outcome);
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > bytesMax) return settle(tooLarge);
      chunks.push(chunk);
    };
    const onEnd = (): void => settle({ ok: true, value: joined(chunks) });
    const onClose = (): void => reject(new Error('the client left before its request was whole'));
    // An error is followed by `close`; without a listener of its own it would end the process.
    request
      .on('data', onData)
      .once('end', onEnd)
      .once('close', onClose)
      .on('error', () => undefined);
  });
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  return chunks.length === 1 && first ? first : Buffer.concat(chunks);
}

export function parseChat(bytes: Buffer): Outcome<ChatRequest> {
  const text = bytes.toString('utf8');
  const parsed = tryParseJson(text);
  if (!parsed.ok) {
    const { line, column } = whereJsonBreaks(text);
    const what = bytes.length === 0 ? 'it is empty' : `it breaks at line ${line}, column ${column}`;
    return { ok: false, error: errors.malformedJson(`The request body is not valid JSON: ${what}.`) };
  }
  const value = parsed.value;
  if (!isRecord(value)) return { ok: false, error: errors.invalidBody('The request body must be a JSON object.') };
  const problem = checkMembers(value);
  if (problem) return { ok: false, error: problem };
  const options = value['stream_options'];
  return {
    ok: true,
    value: {
      model: value['model'] as string,
      stream: value['stream'] === true,
      includeUsage: isRecord(options) && options['include_usage'] === true,
      bytes,
      text,
      value,
    },
  };
}

function checkMembers(value: Record<string, unknown>): ApiError | undefined {
  const { model, messages, stream } = value;
  if (model === undefined || model === null || model === '') {
    return errors.missingParameter('The request has no "model".', { param: 'model' });
  }
  if (typeof model !== 'string') return errors.invalidParameter('"model" must be a string.', { param: 'model' });
  if (messages === undefined) {
    return errors.missingParameter('The request has no "messages".', { param: 'messages' });
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    return errors.invalidParameter('"messages" must be an array with at least one message.', { param: 'messages' });
  }
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
    return errors.invalidParameter('"stream" must be true or false.', { param: 'stream' });
  }
  return undefined;
}
