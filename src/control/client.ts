// The control API as the CLI calls it, acting as one person.

import type { Clock } from '#base';
import type { Stamp } from '#stamp';
import { callOwn } from './http.ts';
import { tokenSigner } from './tokens.ts';

export interface ControlClient {
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
}

const callTimeoutMs = 330_000;

export function controlClient(options: {
  stamp: Stamp;
  person: string;
  privateKeyPem: string;
  clock: Clock;
}): ControlClient {
  const signer = tokenSigner({ kind: 'person', id: options.person }, options);
  const call = async (method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> =>
    callOwn({
      method,
      url: `${options.stamp.control.url}${path}`,
      authorization: await signer.authorization('control'),
      signal: AbortSignal.timeout(callTimeoutMs),
      ...(body === undefined ? {} : { body }),
    });
  return { get: (path) => call('GET', path), post: (path, body) => call('POST', path, body) };
}
