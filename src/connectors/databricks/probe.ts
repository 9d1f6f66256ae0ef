// Is this workspace usable? Looks without touching: reachable, token valid, rights to read what is carried, smoke job there.

import { codeOf, Failure, type Finding } from '#base';
import type { ReadContext } from '../port.ts';
import type { DatabricksClient } from './client.ts';
import { jobsPath, listJobs } from './jobs.ts';
import { listPolicies } from './policies.ts';

export interface ProbeOptions {
  readonly smokeJob: string;
  /** The stamp's reference of the token, to name what has to be renewed. */
  readonly tokenReference: string;
}

export async function probe(client: DatabricksClient, options: ProbeOptions, context: ReadContext): Promise<Finding[]> {
  const { site } = client;
  const token = await look(`databricks at ${site}`, async () => {
    const me = await client.get('/api/2.0/preview/scim/v2/Me', {}, context);
    const who = typeof me['userName'] === 'string' ? me['userName'] : 'an unnamed principal';
    return { verdict: 'pass', detail: `answers; the token is ${who}'s` };
  });
  if (token.verdict !== 'pass') return [withMend(token, options)];
  return [
    token,
    await look(`databricks at ${site}: right to read jobs`, async () => {
      await client.get(`${jobsPath}/list`, { limit: '1' }, context);
      return { verdict: 'pass', detail: 'jobs can be listed' };
    }),
    await look(`databricks at ${site}: right to read cluster policies`, async () => {
      await listPolicies(client, context);
      return { verdict: 'pass', detail: 'cluster policies can be listed' };
    }),
    await look(`smoke job ${options.smokeJob} at ${site}`, async () => {
      const found = await listJobs(client, context, { name: options.smokeJob });
      if (found.length === 1) return { verdict: 'pass', detail: `job ${found[0]?.jobId}` };
      const detail = found.length === 0 ? 'it does not exist' : `${found.length} jobs have this name`;
      return { verdict: 'fail', detail, mend: 'run understudy sync, or correct smokeJob in the stamp' };
    }),
  ];
}

async function look(subject: string, action: () => Promise<Omit<Finding, 'subject'>>): Promise<Finding> {
  try {
    return { subject, ...(await action()) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // Refused and unreachable are answers to the question; anything else leaves it open.
    const answered = ['DATABRICKS_REFUSED', 'DATABRICKS_UNREACHABLE', 'SECRET_UNREADABLE'].includes(codeOf(error));
    return {
      verdict: answered ? 'fail' : 'error',
      subject,
      detail: error.message,
      mend: error.hint ?? 'run the same again; if it stays, look at the workspace',
    };
  }
}

function withMend(finding: Finding, options: ProbeOptions): Finding {
  return / 40[13] /.test(finding.detail)
    ? { ...finding, mend: `put a valid token of a principal of this workspace behind ${options.tokenReference}` }
    : finding;
}
