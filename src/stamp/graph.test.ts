import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { dependencyMap, dependencyOrder, findCycles } from './graph.ts';
import { exampleStamp } from './testing/example.ts';

test('everything comes after what it needs', () => {
  const stamp = exampleStamp();
  const order = dependencyOrder(stamp);
  assert.equal(order.length, stamp.dependencies.length);
  for (const { id, after } of stamp.dependencies) {
    for (const before of after) assert.ok(order.indexOf(before) < order.indexOf(id), `${before} before ${id}`);
  }
});

test('the map shows what is reached at each site, and no credential', () => {
  const map = dependencyMap(exampleStamp());
  const vault = map.find((node) => node.kind === 'key-vault');
  assert.deepEqual(vault, {
    id: 'vault',
    kind: 'key-vault',
    after: ['entra'],
    level: 1,
    endpoints: { home: ['https://kv-claims-weu.vault.azure.net'], partner: ['https://kv-claims-neu.vault.azure.net'] },
  });
  assert.equal(map.find((node) => node.kind === 'model')?.endpoints.partner.length, 3);
  assert.ok(!/env:|file:/.test(JSON.stringify(map)));
});

test('edges that only go back have no cycle; closing one makes one', () => {
  const size = fc.integer({ min: 2, max: 12 });
  const graph = size.chain((count) =>
    fc.tuple(fc.constant(count), fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)))),
  );
  fc.assert(
    fc.property(graph, ([count, pairs]) => {
      const edges = new Map(Array.from({ length: count }, (_, id): [string, string[]] => [String(id), []]));
      for (const [a, b] of pairs) if (a > b) edges.get(String(a))?.push(String(b));
      assert.deepEqual(findCycles(edges), []);
      edges.get(String(count - 1))?.push('0');
      edges.get('0')?.push(String(count - 1));
      assert.deepEqual(
        findCycles(edges).find((cycle) => cycle.length === 2),
        ['0', String(count - 1)],
      );
    }),
  );
});
