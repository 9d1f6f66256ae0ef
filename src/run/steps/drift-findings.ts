// Turns drift into findings, for the gates that compare the standby with what it should be.

import type { Finding } from '#base';
import type { DependencyDrift } from '#replication';
import { failed, passed, unclear } from '../step.ts';

const namedMax = 5;

export function driftFindings(drift: DependencyDrift, allowance: number): Finding[] {
  const subject = `drift of ${drift.dependency}`;
  if (drift.method === 'none') {
    const why = drift.error ? `${drift.error.code}: ${drift.error.message}` : 'nothing was ever listed';
    return [
      unclear(subject, `it cannot be judged: ${why}`, 'reach the standby, and sync at least once while both answer'),
    ];
  }
  const how = drift.method === 'live' ? '' : ', against the last known listing';
  const findings = [
    drift.drift.length <= allowance
      ? passed(subject, `${drift.artifacts} artifacts, ${drift.drift.length} differ, ${allowance} allowed${how}`)
      : failed(
          subject,
          `${drift.drift.length} of ${drift.artifacts} artifacts differ, ${allowance} allowed${how}: ${named(drift)}`,
          'run `understudy sync`, or have two people override this gate',
        ),
  ];
  if (drift.twins.length > 0) {
    findings.push(failed(`twins in ${drift.dependency}`, drift.twins.join(', '), 'delete the younger twin'));
  }
  return findings;
}

function named(drift: DependencyDrift): string {
  const names = drift.drift.slice(0, namedMax).map((entry) => `${entry.kind} ${entry.key} is ${entry.difference}`);
  const more = drift.drift.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}
