// Judges what a look at a model endpoint has shown: one finding, with the mend for each way it can be wrong. Words of the
// other side never enter a finding: vendors echo parts of keys in their error messages.

import { isRecord, tryParseJson, type Finding } from '#base';
import type { Upstream } from '#stamp';
import type { Sighting } from './client.ts';

export type ReachFinding = Finding & { readonly latencyMs?: number };

export function judge(upstream: Upstream, sighting: Sighting): ReachFinding {
  const subject = `upstream ${upstream.id}`;
  switch (sighting.kind) {
    case 'aborted':
      return { verdict: 'error', subject, detail: 'the check was stopped before an answer came', mend: 'check again' };
    case 'timed-out':
      return {
        verdict: 'fail',
        subject,
        detail: `no answer from ${hostOf(upstream)} within ${sighting.afterMs} ms`,
        mend: 'allow this site to reach the host (firewall, private endpoint, route), or raise the timeouts of the upstream',
      };
    case 'silent':
      return { verdict: 'fail', subject, ...judgeSilence(upstream, sighting.code) };
    case 'answered':
      return { subject, latencyMs: sighting.latencyMs, ...judgeAnswer(upstream, sighting) };
  }
}

type Judged = Pick<Finding, 'verdict' | 'detail'> & { readonly mend?: string };

function judgeSilence(upstream: Upstream, code: string): Pick<Judged, 'detail'> & { mend: string } {
  const host = hostOf(upstream);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') {
    return {
      detail: `the name ${host} does not resolve here (${code})`,
      mend: "correct the upstream's url, or link the private DNS zone to this site's network",
    };
  }
  if (code === 'ECONNREFUSED') {
    return {
      detail: `${host} refuses connections (${code})`,
      mend: "correct the port of the upstream's url, or start the endpoint",
    };
  }
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return {
      detail: `${host} cannot be connected to from here (${code})`,
      mend: 'open the outbound route from this site: firewall rule, network security group or private endpoint',
    };
  }
  if (/^(?:CERT_|ERR_TLS_|ERR_SSL_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/.test(code)) {
    return {
      detail: `TLS with ${host} fails (${code})`,
      mend: "trust the authority of the endpoint's certificate at this site, or stop the proxy that breaks TLS open",
    };
  }
  return {
    detail: `${host} broke the connection (${code})`,
    mend: 'look for a proxy or firewall between this site and the endpoint',
  };
}

function judgeAnswer(upstream: Upstream, seen: Extract<Sighting, { kind: 'answered' }>): Judged {
  const { status } = seen;
  if (/\bhtml\b/i.test(seen.contentType)) {
    return fail(
      `an HTML page (status ${status}) answers instead of the endpoint`,
      'a proxy or login page stands between: exempt the host from it',
    );
  }
  if (status === 401 || status === 403) {
    return fail(
      `the credential is refused (status ${status})`,
      `renew the secret behind ${upstream.credential} for this site`,
    );
  }
  if (status === 404) {
    return fail(
      'the endpoint has no /models under this url (status 404)',
      "the upstream's url must end in the API's version, usually /v1",
    );
  }
  if (status === 407)
    return fail('a proxy asks for its own authentication (status 407)', 'give this site a direct route to the host');
  if (status === 429) return judgeLimit(seen.body);
  if (status >= 500)
    return fail(
      `the provider answers with status ${status}`,
      "see the provider's status page; the ladder's next rung must carry",
    );
  if (status !== 200)
    return fail(`unexpected status ${status}`, "correct the upstream's url: redirects are not followed");
  return judgeModels(upstream, seen.body);
}

/** Reached and authenticated, but whether it would answer is not known; an exhausted quota is known not to. */
function judgeLimit(body: string): Judged {
  const parsed = tryParseJson(body);
  const error = parsed.ok && isRecord(parsed.value) ? parsed.value['error'] : undefined;
  const exhausted =
    isRecord(error) && (error['type'] === 'insufficient_quota' || error['code'] === 'insufficient_quota');
  if (exhausted)
    return fail(
      'the quota of this account is used up (status 429)',
      'raise the quota or the spending limit at the provider',
    );
  return {
    verdict: 'inconclusive',
    detail: 'reached, but rate limited (status 429)',
    mend: 'check again when the limit has passed',
  };
}

function judgeModels(upstream: Upstream, body: string): Judged {
  const parsed = tryParseJson(body);
  const list = parsed.ok && isRecord(parsed.value) ? parsed.value['data'] : undefined;
  if (!Array.isArray(list))
    return fail('the answer is not a list of models', "the upstream's url does not lead to an OpenAI-style endpoint");
  const names = list.map((entry: unknown) => (isRecord(entry) ? entry['id'] : undefined));
  if (upstream.model !== undefined && !names.includes(upstream.model)) {
    return fail(
      `model ${upstream.model} is not among the ${names.length} offered`,
      "correct the upstream's model, or give this account access to it",
    );
  }
  return { verdict: 'pass', detail: `${hostOf(upstream)} answers; ${names.length} models offered` };
}

function fail(detail: string, mend: string): Judged {
  return { verdict: 'fail', detail, mend };
}

/** Host and port only: a url may carry credentials or tokens. */
function hostOf(upstream: Upstream): string {
  return new URL(upstream.url).host;
}
