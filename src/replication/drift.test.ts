import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Artifact, Inventory } from '#connectors';
import type { Site } from '#base';
import { changesFor, differencesBetween, driftOf } from './drift.ts';

function inventory(site: Site, artifacts: readonly Artifact[]): Inventory {
  return { site, dependency: 'databricks', startedAtMs: 1, artifacts, twins: [] };
}

function carried(kind: string, key: string, digest: string): Artifact {
  return { kind, key, digest, class: 'carried' };
}

const leading = inventory('home', [
  carried('job', 'nightly', 'a'),
  carried('job', 'same', 's'),
  carried('cluster-policy', 'small', 'p'),
  carried('job', 'features', 'new'),
  { kind: 'job', key: 'terraformed', digest: 't', class: 'listed', reason: 'owned by Terraform' },
]);
const following = inventory('partner', [
  carried('job', 'features', 'old'),
  carried('job', 'same', 's'),
  carried('job', 'left-over', 'x'),
  carried('cluster-policy', 'unused', 'x'),
]);

test('missing, extra and different are told apart, ordered by kind and key, and equal ones are no difference', () => {
  const seen = differencesBetween(leading, following).map(
    (entry) => `${entry.kind} ${entry.key} ${entry.difference} ${entry.class}`,
  );
  assert.deepEqual(seen, [
    'cluster-policy small missing carried',
    'cluster-policy unused extra carried',
    'job features different carried',
    'job left-over extra carried',
    'job nightly missing carried',
    'job terraformed missing listed',
  ]);
});

test('a listed difference is reported with its reason and is no drift', () => {
  const differences = differencesBetween(leading, following);
  const listed = differences.find((entry) => entry.class === 'listed');
  assert.equal(listed?.reason, 'owned by Terraform');
  assert.equal(driftOf(differences).length, differences.length - 1);
  assert.ok(driftOf(differences).every((entry) => entry.key !== 'terraformed'));
});

test('the same key under two kinds is two artifacts', () => {
  const here = inventory('home', [carried('a', 'b', '1'), carried('c', 'b', '2')]);
  const there = inventory('partner', [carried('a', 'b', '1'), carried('c', 'b', '1')]);
  assert.deepEqual(
    differencesBetween(here, there).map((entry) => `${entry.kind} ${entry.difference}`),
    ['c different'],
  );
});

test('changes follow the declared order of kinds; nothing is deleted while deletions are only reported', () => {
  const drift = driftOf(differencesBetween(leading, following));
  const options = { kinds: ['cluster-policy', 'job'], from: 'home', deletions: 'report' } as const;
  assert.deepEqual(
    changesFor(drift, options).map((change) => `${change.action} ${change.kind} ${change.key}`),
    ['create cluster-policy small', 'update job features', 'create job nightly'],
  );
  const reversed = changesFor(drift, { ...options, kinds: ['job', 'cluster-policy'] });
  assert.equal(reversed.at(-1)?.kind, 'cluster-policy');
});

test('declared deletions come last, in the reverse order of kinds, and lead to the other site', () => {
  const drift = driftOf(differencesBetween(leading, following));
  const changes = changesFor(drift, { kinds: ['cluster-policy', 'job'], from: 'home', deletions: 'propagate' });
  assert.deepEqual(
    changes.slice(3).map((change) => `${change.action} ${change.kind} ${change.key}`),
    ['delete job left-over', 'delete cluster-policy unused'],
  );
  assert.ok(changes.every((change) => change.from === 'home' && change.to === 'partner'));
});

test('equal inventories need no change', () => {
  assert.deepEqual(differencesBetween(leading, { ...leading, site: 'partner' }), []);
});
