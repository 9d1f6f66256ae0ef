import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { broken, exampleText, lineOf, problemsOf } from './testing/example.ts';

/** `path: message` of each problem; the line must be that of `at`. */
function reported(text: string, at: string): string[] {
  const problems = problemsOf(text);
  for (const problem of problems) assert.equal(problem.line, lineOf(text, at), problem.message);
  return problems.map(({ path, message }) => `${path}: ${message}`);
}

test('the example breaks no rule', () => assert.deepEqual(problemsOf(exampleText), []));

describe('dependencies', () => {
  test('an id stands once', () => {
    const text = broken(['- id: blobs', '- id: vault'], ['after: [vault, blobs]', 'after: [vault]']);
    assert.deepEqual(
      problemsOf(text).map(({ path, message }) => `${path}: ${message}`),
      ['dependencies[2].id: the dependency id `vault` stands twice'],
    );
  });

  test('an edge to an unknown id proposes the nearest one', () => {
    const text = broken(['after: [vault, blobs]', 'after: [vault, blob]']);
    assert.deepEqual(reported(text, 'blob]'), [
      'dependencies[3].after[1]: unknown dependency `blob`; did you mean `blobs`?',
    ]);
  });

  test('a cycle is named, once', () => {
    const text = broken(['- id: entra\n    kind: identity', '- id: entra\n    after: [workspace]\n    kind: identity']);
    const [first, ...others] = problemsOf(text).map(({ message }) => message);
    assert.equal(first, 'dependencies wait for each other: entra → workspace → vault → entra');
    assert.deepEqual(others, ['dependencies wait for each other: entra → workspace → blobs → entra']);
  });

  test('a dependency that waits for itself', () => {
    const text = broken(['after: [models, traces]', 'after: [models, front-door]']);
    assert.deepEqual(reported(text, 'models, front-door'), [
      'dependencies[6].after[1]: dependencies wait for each other: front-door → front-door',
    ]);
  });

  test('exactly one of each kind', () => {
    const model =
      '  - id: models\n    kind: model\n    after: [vault]\n    upstreams: [gpt-weu, gpt-swc, gpt-mini-frc]\n';
    const none = broken([model, ''], ['after: [models, traces]', 'after: [traces]']);
    assert.deepEqual(reported(none, 'dependencies:'), ['dependencies: no dependency of kind `model`']);
    const two = broken([model, `${model}  - id: more\n    kind: model\n    upstreams: [gpt-weu]\n`]);
    assert.deepEqual(reported(two, 'kind: model\n    upstreams'), [
      'dependencies[6].kind: a second dependency of kind `model`; a stamp has exactly one',
    ]);
  });

  test('an unreadable kind is not reported as missing too', () => {
    assert.equal(problemsOf(broken(['kind: langfuse', 'kind: tracing'])).length, 1);
  });

  test('the vault names an identity, whose own secret is elsewhere', () => {
    const text = broken(['identity: entra', 'identity: blobs']);
    assert.deepEqual(reported(text, 'identity: blobs'), [
      'dependencies[1].identity: unknown identity dependency `blobs`',
    ]);
    const circular = broken(['env:ENTRA_HOME_CLIENT_SECRET', 'key-vault:entra-secret']);
    assert.match(reported(circular, 'key-vault:entra')[0] ?? '', /cannot itself be in the key vault/);
  });

  test('the model dependency names known upstreams', () => {
    const text = broken(['upstreams: [gpt-weu, gpt-swc,', 'upstreams: [gpt-weu, gpt-swe,']);
    assert.match(reported(text, 'gpt-swe')[0] ?? '', /upstreams\[1\]: unknown upstream `gpt-swe`; did you mean `gpt-/);
  });

  test('the smoke job is not accepted to run twice, and no job is accepted twice', () => {
    const smoke = broken(['- job: claims-feature-refresh', '- job: claims-smoke']);
    assert.match(reported(smoke, '- job: claims-smoke')[0] ?? '', /doubleExecution\[0\]\.job: the smoke job/);
    const twice = broken([
      '    regionMap:',
      '      - { job: claims-feature-refresh, reason: the same again }\n    regionMap:',
    ]);
    assert.match(reported(twice, 'the same again')[0] ?? '', /stands twice/);
  });

  test('the probe container is not carried', () => {
    const text = broken(['containers: [prompts, features]', 'containers: [prompts, understudy-probe]']);
    assert.match(
      reported(text, 'understudy-probe]')[0] ?? '',
      /containers\[1\]: `understudy-probe` is the probe container/,
    );
  });

  test('a region map has one counterpart for each text, both ways', () => {
    const withEntry = (home: string, partner: string): string =>
      broken(['    regionMap:\n', `    regionMap:\n      - { home: ${home}, partner: ${partner} } # added\n`]);
    const message = (home: string, partner: string): string | undefined =>
      problemsOf(withEntry(home, partner))[0]?.message;
    assert.equal(message('kv-claims-weu', 'kv-other'), 'this text already has a counterpart, in entry 1 of the list');
    assert.equal(message('kv-other', 'kv-claims-neu'), 'this text already has a counterpart, in entry 1 of the list');
    assert.equal(message('same', 'same'), 'both sides are the same text');
    assert.match(message('kv-claims-weu-2', 'kv-elsewhere') ?? '', /^entry 3 of the list replaces a part of this text/);
    assert.equal(message('kv-claims-weu-2', 'kv-claims-neu-2'), undefined, 'overlapping but agreeing');
  });
});

describe('gateway', () => {
  test('a rung names a known upstream', () => {
    const text = broken(['rung: model, upstream: gpt-weu', 'rung: model, upstream: gpt-wue']);
    assert.match(
      reported(text, 'gpt-wue')[0] ?? '',
      /ladder\[0\]\.upstream: unknown upstream `gpt-wue`; did you mean `gpt-weu`\?/,
    );
  });

  test('the other region is another one, and stands below a model rung', () => {
    const same = broken(['region: swedencentral', 'region: westeurope']);
    assert.match(reported(same, 'rung: other-region')[0] ?? '', /is in westeurope like the `model` rung above/);
    const alone = broken(['- { rung: model, upstream: gpt-weu }', '- { rung: backup, upstream: gpt-weu }']);
    assert.match(reported(alone, 'rung: other-region')[0] ?? '', /needs a `model` rung above it/);
  });

  test('a message is the last rung', () => {
    const text = broken([
      '- { rung: model, upstream: gpt-weu }',
      '- { rung: message, text: Hello }\n        - { rung: model, upstream: gpt-weu }',
    ]);
    assert.match(reported(text, 'text: Hello')[0] ?? '', /ladder\[0\]\.rung: a `message` rung always answers/);
  });

  test('a model name belongs to one route', () => {
    const second =
      '    - { id: other, models: [gpt-4.1], ladder: [{ rung: model, upstream: gpt-swc }] }\n\n  clients:\n';
    const text = broken(['\n  clients:\n', second]);
    assert.deepEqual(reported(text, 'id: other'), [
      'gateway.routes[1].models[0]: the model `gpt-4.1` already belongs to route `chat`',
    ]);
  });

  test('ids, keys and tools stand once', () => {
    const twice = (from: string, to: string): string[] =>
      problemsOf(broken([from, to])).flatMap(({ code, message }) => (code === 'DUPLICATE' ? [message] : []));
    assert.deepEqual(twice('- id: gpt-swc', '- id: gpt-weu'), ['the upstream id `gpt-weu` stands twice']);
    assert.deepEqual(twice('name: update_claim', 'name: find_claim'), ['the tool `find_claim` stands twice']);
    assert.deepEqual(twice('- id: capital', '- id: arithmetic'), ['the prompt id `arithmetic` stands twice']);
    const [first = '', second = ''] = exampleText.match(/(?<=keySha256: )[0-9a-f]{64}/g) ?? [];
    assert.deepEqual(twice(second, first), ['this client key stands twice']);
  });

  test('clients and canary name known routes and clients', () => {
    const route = broken(['routes: [chat]', 'routes: [chatt]']);
    assert.match(
      reported(route, 'chatt')[0] ?? '',
      /clients\[0\]\.routes\[0\]: unknown route `chatt`; did you mean `chat`\?/,
    );
    assert.match(problemsOf(broken(['  route: chat', '  route: chap']))[0]?.message ?? '', /unknown route `chap`/);
  });

  test('the canary client may use the route and the rehearsal lane', () => {
    const rehearsal = broken(['      rehearsal: true\n', '']);
    assert.match(
      reported(rehearsal, '  client: canary')[0] ?? '',
      /canary\.client: client `canary` may not use the rehearsal lane/,
    );
    const other = '    - { id: other, models: [m], ladder: [{ rung: model, upstream: gpt-swc }] }\n\n  clients:\n';
    const route = broken(['\n  clients:\n', other], ['  route: chat', '  route: other']);
    assert.match(reported(route, '  client: canary')[0] ?? '', /client `canary` may not use route `other`/);
  });
});

describe('people', () => {
  test('approvals count people other than the initiator', () => {
    const text = broken(['failover: 2', 'failover: 4']);
    assert.deepEqual(reported(text, 'failover: 4'), [
      'approvals.failover: a failover needs 4 approvals, and at most 3 people other than its initiator may approve',
    ]);
    // Amara initiates and does not approve, so all three approvers are left; without her Jonas leaves two.
    assert.deepEqual(problemsOf(broken(['failover: 2', 'failover: 3'])), []);
    const alone = broken(['failover: 2', 'failover: 3'], ['[read, initiate, operate]', '[read, operate]']);
    assert.match(reported(alone, 'failover: 3')[0] ?? '', /at most 2 people other than its initiator/);
  });

  test('a default count is judged too', () => {
    const text = broken(
      ['approvals: { failover: 2, failback: 2, switchover: 2, expiry: 1h }', ''],
      [', approve, operate]', ', operate]'],
      ['[read, approve]', '[read]'],
    );
    assert.deepEqual(
      problemsOf(text).map(({ path }) => path),
      ['approvals.failover', 'approvals.failback', 'approvals.switchover'],
    );
  });

  test('someone initiates; ids and keys are personal', () => {
    const nobody = broken(['[read, initiate, operate]', '[read]'], ['[read, initiate, approve, operate]', '[approve]']);
    assert.deepEqual(reported(nobody, 'people:'), ['people: no person may initiate a run']);
    assert.match(problemsOf(broken(['- id: mei', '- id: jonas']))[0]?.message ?? '', /person id `jonas` stands twice/);
    assert.match(
      problemsOf(broken(['keys/mei.pub', 'keys/jonas.pub']))[0]?.message ?? '',
      /two people never share a key/,
    );
  });
});

describe('sites', () => {
  const pairs = [
    ['https://gateway.neu.contoso.example', 'https://gateway.weu.contoso.example/', 'sites.partner.gateway.url'],
    ['https://kv-claims-neu.vault', 'https://KV-claims-weu.vault', 'dependencies[1].partner.url'],
    ['https://stclaimsneu.blob', 'https://stclaimsweu.blob', 'dependencies[2].partner.url'],
    ['https://adb-2718281828459045.5', 'https://adb-3141592653589793.3', 'dependencies[3].partner.url'],
    ['https://langfuse.neu', 'https://langfuse.weu', 'dependencies[4].partner.url'],
  ] as const;
  for (const [from, to, path] of pairs) {
    test(`one address for both sites: ${path}`, () => {
      const [problem] = problemsOf(broken([from, to]));
      assert.deepEqual([problem?.path, problem?.code], [path, 'SITES_SHARED']);
    });
  }

  test('one region, one origin, one journal', () => {
    assert.equal(problemsOf(broken(['region: northeurope', 'region: westeurope']))[0]?.path, 'sites.partner.region');
    assert.equal(problemsOf(broken(['gateway-neu', 'gateway-weu']))[0]?.path, 'dependencies[6].partner.origin');
    const journal = broken(['understudy/journal-partner', 'understudy/../understudy/journal-home']);
    assert.equal(problemsOf(journal)[0]?.path, 'sites.partner.journal.directory');
  });

  test('two listeners that can meet have two ports', () => {
    const loopback = broken(
      ['https://gateway.weu.contoso.example', 'http://127.0.0.1:1001'],
      ['https://gateway.neu.contoso.example', 'http://127.0.0.1:1002'],
    );
    assert.deepEqual(
      problemsOf(loopback).map(({ path }) => path),
      ['sites.partner.gateway.listen.port'],
    );
    const address = broken(
      ['{ host: 0.0.0.0, port: 8080 }', '{ host: 10.0.0.4, port: 8080 }'],
      ['{ host: 0.0.0.0, port: 8080 }', '{ host: 10.0.0.4, port: 8080 }'],
    );
    assert.equal(problemsOf(address)[0]?.message, 'sites.home.gateway already listens on 10.0.0.4:8080');
  });

  test('the lease lasts one second to five minutes', () => {
    for (const ttl of ['999ms', '5m1s']) {
      assert.equal(problemsOf(broken(['ttl: 15s', `ttl: ${ttl}`]))[0]?.path, 'control.lease.ttl');
    }
    for (const ttl of ['1s', '5m']) assert.deepEqual(problemsOf(broken(['ttl: 15s', `ttl: ${ttl}`])), []);
  });
});
