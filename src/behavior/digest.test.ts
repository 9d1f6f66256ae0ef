import assert from 'node:assert/strict';
import { test } from 'node:test';
import { behaviorDigest, type BehaviorSource } from './digest.ts';

const route: BehaviorSource = {
  mode: 'normal',
  tools: [
    { name: 'find', effect: 'read' },
    { name: 'change', effect: 'write' },
  ],
};

test('the digest stands for content, not for order', () => {
  assert.match(behaviorDigest(route), /^[0-9a-f]{64}$/);
  assert.equal(behaviorDigest({ ...route, tools: route.tools.toReversed() }), behaviorDigest(route));
});

test('every part of the content changes the digest', () => {
  const others: BehaviorSource[] = [
    { ...route, mode: 'no-write' },
    { ...route, tools: route.tools.slice(1) },
    { ...route, tools: route.tools.map((tool) => ({ ...tool, effect: 'read' })) },
  ];
  const digests = new Set([route, ...others].map((source) => behaviorDigest(source)));
  assert.equal(digests.size, 4);
});
