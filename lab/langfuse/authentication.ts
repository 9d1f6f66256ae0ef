// Who asks: Basic with a project's keys, or Bearer with a public key alone (scores only). The secret key decides: the
// real server finds the key by the hash of the secret and never compares the public half.

import type { IncomingMessage } from 'node:http';
import { LangfuseError } from './reply.ts';

export interface LangfuseProject {
  readonly id: string;
  readonly name: string;
  readonly publicKey: string;
  readonly secretKey: string;
}

export interface Caller {
  readonly project: LangfuseProject;
  /** `scores`: Bearer with the public key; may only write scores. */
  readonly access: 'project' | 'scores';
}

/** Throws what Langfuse answers to a wrong credential; `named` adds the `error` member some routes carry. */
export function authenticate(
  request: IncomingMessage,
  projects: readonly LangfuseProject[],
  options: { named: boolean },
): Caller {
  const header = request.headers.authorization;
  const refuse = (message: string): LangfuseError =>
    new LangfuseError(401, options.named ? { error: 'UnauthorizedError', message } : { message });
  if (header === undefined) throw refuse('No authorization header');
  if (header.startsWith('Basic ')) {
    const [, secretKey] = splitOnce(Buffer.from(header.slice(6), 'base64').toString('utf8'));
    const project = projects.find((candidate) => candidate.secretKey === secretKey);
    if (!project) throw refuse("Invalid credentials. Confirm that you've configured the correct host.");
    return { project, access: 'project' };
  }
  if (header.startsWith('Bearer ')) {
    const project = projects.find((candidate) => candidate.publicKey === header.slice(7));
    if (!project) throw refuse("Invalid credentials. Confirm that you've configured the correct host.");
    return { project, access: 'scores' };
  }
  throw refuse('Invalid authorization header');
}

/** Refuses a caller that may only write scores. */
export function requireProjectAccess(caller: Caller): void {
  if (caller.access !== 'project') {
    throw new LangfuseError(403, { message: 'Access denied - need to use basic auth with secret key' });
  }
}

function splitOnce(credentials: string): [string, string] {
  const colon = credentials.indexOf(':');
  return colon < 0 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
}
