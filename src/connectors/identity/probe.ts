// Proves that an identity works by fetching a new token: a cached one would prove only that it used to work.

import { formatDuration, type Failure, type Finding, type Site } from '#base';
import { withDeadline } from '../azure/mod.ts';
import type { ReadContext } from '../port.ts';
import { openCredential, tokenDeadlineMs } from './client.ts';
import type { IdentityOptions } from './connector.ts';
import { identityFailure } from './failures.ts';

export async function fetchToken(site: Site, context: ReadContext, options: IdentityOptions): Promise<Finding> {
  const place = options.dependency[site];
  const subject = `identity ${options.dependency.id} at ${site}`;
  const limits = { clock: options.clock, signal: context.signal, deadlineMs: tokenDeadlineMs };
  try {
    const token = await withDeadline(limits, async (signal) => {
      const credential = await openCredential(place, { ...options, signal });
      return credential.getToken(place.scope, { abortSignal: signal });
    });
    if (!token)
      return { verdict: 'fail', subject, detail: 'the authority gave no token', mend: 'look at the authority' };
    const lastsMs = token.expiresOnTimestamp - options.clock.wallMs();
    return { verdict: 'pass', subject, detail: `token for ${place.scope} fetched, lasts ${formatDuration(lastsMs)}` };
  } catch (error) {
    context.signal.throwIfAborted();
    return findingOfFailure(subject, identityFailure(`token for ${place.scope}`, error));
  }
}

function findingOfFailure(subject: string, failure: Failure): Finding {
  // A refusal is an answer; silence only says that nothing could be learned from here.
  const verdict = failure.next === 'retry' ? 'error' : 'fail';
  return { verdict, subject, detail: failure.message, mend: failure.hint ?? 'look at the authority' };
}
