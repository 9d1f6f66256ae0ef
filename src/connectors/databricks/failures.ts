// What can go wrong with a call to Databricks, one code each: DATABRICKS_UNREACHABLE, DATABRICKS_RATE_LIMITED,
// DATABRICKS_REFUSED, DATABRICKS_UNKNOWN_OUTCOME, DATABRICKS_WRONG_REPLY (json.ts), and what the connector itself refuses.

import { codeOf, Failure, isRecord, type Site } from '#base';

export interface CallName {
  readonly site: Site;
  /** `POST /api/2.2/jobs/create` */
  readonly call: string;
}

/** The call did not take effect: no connection was made, or it was a read. */
export function unreachable({ site, call }: CallName, cause: unknown): Failure {
  return new Failure('DATABRICKS_UNREACHABLE', `Databricks at ${site} cannot be reached (${call})`, {
    next: 'retry',
    hint: 'check the url, DNS, the private endpoint and the egress rules of the place this runs in',
    cause,
    details: { site, call },
  });
}

/** The write may or may not have taken effect: look it up before it is repeated. */
export function unknownOutcome({ site, call }: CallName, cause: unknown): Failure {
  return new Failure(
    'DATABRICKS_UNKNOWN_OUTCOME',
    `the answer to ${call} at ${site} was lost; it may have taken effect`,
    {
      next: 'retry',
      hint: 'run the same again: what took effect is found and adopted, not made twice',
      cause,
      details: { site, call },
    },
  );
}

export function rateLimited({ site, call }: CallName, waitMs: number | undefined): Failure {
  return new Failure('DATABRICKS_RATE_LIMITED', `Databricks at ${site} limits the rate of ${call}`, {
    next: 'retry',
    hint: 'run the same again later; what is already done is not repeated',
    details: { site, call, ...(waitMs === undefined ? {} : { waitMs }) },
  });
}

const messageCharsMax = 300;

/** The vendor said no: nothing took effect. */
export function refused({ site, call }: CallName, answer: { status: number; body: unknown }): Failure {
  const { status, body } = answer;
  const said = isRecord(body) ? body : {};
  const code = said['error_code'];
  const errorCode = typeof code === 'string' || typeof code === 'number' ? String(code) : undefined;
  const text = typeof said['message'] === 'string' ? said['message'] : 'without a reason';
  const message = text.length > messageCharsMax ? `${text.slice(0, messageCharsMax)}…` : text;
  return new Failure('DATABRICKS_REFUSED', `Databricks at ${site} refused ${call}: ${status} ${message}`, {
    next: 'ask_operator',
    hint: hintFor(status),
    details: { site, call, status, errorCode },
  });
}

function hintFor(status: number): string {
  if (status === 401 || status === 403) return 'renew the token, or give its principal the missing permission';
  return 'read the reason above; correct the object at the leading site or the stamp, then run the same again';
}

/** A missing path, job, run or policy: `RESOURCE_DOES_NOT_EXIST`, or for jobs a 400 whose sentence says so. */
export function saysMissing(thrown: unknown): boolean {
  if (!(thrown instanceof Failure) || codeOf(thrown) !== 'DATABRICKS_REFUSED') return false;
  const { errorCode, status } = thrown.details;
  if (errorCode === 'RESOURCE_DOES_NOT_EXIST') return true;
  // databricks-sdk-py #591: jobs and runs answer INVALID_PARAMETER_VALUE where other APIs have a 404.
  return (
    (status === 404 && errorCode !== 'ENDPOINT_NOT_FOUND') ||
    (errorCode === 'INVALID_PARAMETER_VALUE' && /(Job|Run) \d+ does not exist/.test(thrown.message))
  );
}

export function errorCodeOf(thrown: unknown): string | undefined {
  return thrown instanceof Failure && typeof thrown.details['errorCode'] === 'string'
    ? thrown.details['errorCode']
    : undefined;
}
