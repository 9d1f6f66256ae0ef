// Turns what Azure SDKs throw into failures with stable codes. The SDK's own errors are never passed on: they carry the
// request, and a request may carry a secret.

import { codeOf, Failure, isRecord, type Finding, type Next } from '#base';
import { DeadlineExceeded } from './call.ts';

/** HTTP status of what was thrown, when the service answered at all. */
export function statusOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return undefined;
  return typeof thrown.statusCode === 'number' ? thrown.statusCode : undefined;
}

/** The most specific error code the service gave: `ObjectIsDeletedButRecoverable`, `BlobNotFound`. */
export function vendorCodeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const details = 'details' in thrown ? thrown.details : undefined;
  const error = isRecord(details) && isRecord(details['error']) ? details['error'] : undefined;
  const inner = isRecord(error?.['innerError']) ? error['innerError']['code'] : undefined;
  if (typeof inner === 'string') return inner;
  return 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Whether the call may have taken effect although it failed. */
export function outcomeUnknown(thrown: unknown): boolean {
  if (thrown instanceof Failure) return false; // Ours: thrown before anything was sent.
  if (thrown instanceof DeadlineExceeded) return true;
  const status = statusOf(thrown);
  return status === undefined || status === 408 || status >= 500;
}

/** `vendor` is the prefix of the code: KEY_VAULT gives KEY_VAULT_FORBIDDEN and so on. A Failure is passed through. */
export function azureFailure(vendor: string, what: string, thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const { suffix, next, hint } = kindOf(thrown);
  const status = statusOf(thrown);
  const code = vendorCodeOf(thrown);
  const seen =
    status === undefined
      ? thrown instanceof DeadlineExceeded
        ? thrown.message
        : `no answer (${codeOf(thrown)})`
      : `answered ${status}${code === undefined ? '' : ` ${code}`}`;
  return new Failure(`${vendor}_${suffix}`, `${what}: ${seen}`, {
    next,
    hint,
    details: { ...(status === undefined ? {} : { status }), ...(code === undefined ? {} : { vendorCode: code }) },
  });
}

function kindOf(thrown: unknown): { suffix: string; next: Next; hint: string } {
  if (thrown instanceof DeadlineExceeded) {
    return { suffix: 'TIMEOUT', next: 'retry', hint: 'check that the service is up and reachable from here' };
  }
  const status = statusOf(thrown);
  switch (status) {
    case undefined:
      return { suffix: 'UNREACHABLE', next: 'retry', hint: 'check the address, DNS and firewall on the way there' };
    case 401:
      return { suffix: 'UNAUTHORIZED', next: 'ask_operator', hint: 'check the credential in the stamp' };
    case 403:
      return { suffix: 'FORBIDDEN', next: 'ask_operator', hint: 'grant the identity the missing role' };
    case 404:
      return { suffix: 'NOT_FOUND', next: 'stop', hint: 'check the name in the stamp' };
    case 409:
    case 412:
      return { suffix: 'CONFLICT', next: 'retry', hint: 'something else changed it meanwhile; look again' };
    case 429:
      return { suffix: 'THROTTLED', next: 'retry', hint: 'wait, then repeat' };
    default:
      return status >= 500
        ? { suffix: 'UNAVAILABLE', next: 'retry', hint: 'wait for the service to recover' }
        : { suffix: 'REFUSED', next: 'stop', hint: 'the service does not accept this call' };
  }
}

/** A probe that failed: `fail` when the service answered with a refusal, `error` when nothing could be learned. */
export function findingOf(subject: string, failure: Failure): Finding {
  const refused = failure.details['status'] !== undefined && !failure.code.endsWith('_UNAVAILABLE');
  return {
    verdict: refused ? 'fail' : 'error',
    subject,
    detail: failure.message,
    mend: failure.hint ?? 'look at the service',
  };
}
