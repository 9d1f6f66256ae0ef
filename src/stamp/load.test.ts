import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { loadStamp, parseStamp } from './load.ts';
import { formatPath, formatProblems } from './problem.ts';
import { broken, exampleFile, exampleText, lineOf, problemsOf } from './testing/example.ts';

describe('a right stamp', () => {
  test('the Azure example loads, with defaults filled in', async () => {
    const loaded = await loadStamp(fileURLToPath(exampleFile));
    if (!loaded.ok) assert.fail(formatProblems(loaded.problems, loaded.file));
    assert.equal(loaded.stamp.gateway.routes[0]?.attemptsPerRungMax, 2);
    assert.match(loaded.digest, /^[0-9a-f]{64}$/);
    assert.equal(loaded.directory, fileURLToPath(new URL('.', exampleFile)).replace(/\/$/, ''));
  });

  test('the digest stands for content: comments do not change it, a value does', () => {
    const digestOf = (text: string): string => {
      const loaded = parseStamp(text, { file: 'stamp.yaml' });
      return loaded.ok ? loaded.digest : assert.fail('loads');
    };
    assert.equal(digestOf(`# a comment\n${exampleText}`), digestOf(exampleText));
    assert.notEqual(digestOf(broken(['rto: 90m', 'rto: 60m'])), digestOf(exampleText));
    assert.equal(digestOf(broken(['  lease: { ttl: 15s }\n', ''])), digestOf(exampleText), 'a default written or not');
  });

  test('anchors and aliases may be used', () => {
    const text = broken(['[read, approve]', '&approver [read, approve]'], ['[read, approve]\n\n', '*approver\n\n']);
    assert.deepEqual(problemsOf(text), []);
  });
});

describe('all mistakes at once', () => {
  test('shape and rules together, each with path and line, in the order of the file', () => {
    const text = broken(
      ['apiVersion: understudy/v1', 'apiVersion: understudy/v2'],
      ['syncEvery: 5m', 'syncEvery: often'],
      ['after: [entra]', 'after: [entar]'],
      ['      ladder:', '      ladderr:'],
      ['credential: env:AOAI_WEU_KEY', 'credential: sk-1234567890'],
      ['client: canary', 'client: canari'],
    );
    const found = problemsOf(text).map(({ path, line, code }) => [path, line, code]);
    assert.deepEqual(found, [
      ['apiVersion', lineOf(text, 'understudy/v2'), 'WRONG_VALUE'],
      ['control.syncEvery', lineOf(text, 'syncEvery'), 'WRONG_VALUE'],
      ['dependencies[1].after[0]', lineOf(text, 'entar'), 'UNKNOWN_REFERENCE'],
      ['gateway.upstreams[0].credential', lineOf(text, 'sk-1234567890'), 'WRONG_VALUE'],
      ['gateway.routes[0].ladderr', lineOf(text, 'ladderr'), 'UNKNOWN_KEY'],
      ['canary.client', lineOf(text, 'canari'), 'UNKNOWN_REFERENCE'],
    ]);
    assert.ok(!JSON.stringify(problemsOf(text)).includes('sk-1234'), 'a value that may be a secret is not repeated');
  });

  test('a misspelt key is one mistake, and says what was meant', () => {
    const text = broken(['      ladder:', '      ladderr:']);
    const [problem, ...others] = problemsOf(text);
    assert.equal(problem?.message, 'unknown key `ladderr`; did you mean `ladder`?');
    assert.equal(problem.column, 7);
    assert.deepEqual(others, []);
  });

  test('a missing key is shown at what lacks it', () => {
    const [problem, ...others] = problemsOf(broken(['    region: westeurope\n', '']));
    assert.deepEqual([problem?.path, problem?.code], ['sites.home.region', 'MISSING_KEY']);
    assert.equal(problem?.line, lineOf(exampleText, '  home:\n    region'));
    assert.deepEqual(others, []);
  });

  test('wrong types, empty values and misspelt kinds say what to write', () => {
    const message = (from: string, to: string): string | undefined => problemsOf(broken([from, to]))[0]?.message;
    assert.equal(message('host: 0.0.0.0, port: 8443', 'host: 0.0.0.0, port: x'), 'must be a number, not text');
    assert.equal(message('containers: [prompts, features]', 'containers: prompts'), 'must be a list, not text');
    assert.equal(message('containers: [prompts, features]', 'containers: []'), 'must have at least 1 entry');
    assert.equal(message('deadline: 60s', 'deadline:'), 'nothing is written here');
    assert.match(message('kind: langfuse', 'kind: langfuze') ?? '', /did you mean `langfuse`\?$/);
    assert.match(message('effect: read', 'effect: reed') ?? '', /did you mean `read`\?$/);
    assert.equal(message('  traffic: 5m', '  trafic: 5m'), 'unknown key `trafic`; did you mean `traffic`?');
    assert.equal(message('rehearsal: true', 'rehearsal: yes'), 'must be true or false, not text');
  });

  test('a key far from every known one lists the known ones', () => {
    const [problem] = problemsOf(broken(['  rto: 90m', '  rto: 90m\n  banana: 1']));
    assert.equal(problem?.message, 'unknown key `banana`');
    assert.equal(problem.hint, 'known here: rto, rpo, gateMaxAge, driftAllowance');
  });

  test('keys of the prototype are unknown keys', () => {
    for (const key of ['__proto__', 'constructor', 'toString']) {
      const [problem] = problemsOf(broken(['  rto: 90m', `  rto: 90m\n  ${key}: 1`]));
      assert.equal(problem?.code, 'UNKNOWN_KEY');
    }
  });
});

describe('text that is not a stamp', () => {
  const first = (text: string): string => {
    const [problem] = problemsOf(text);
    return `${problem?.line}:${problem?.column} ${problem?.code} ${problem?.message}`;
  };

  test('each has its message', () => {
    assert.match(first(''), /STAMP_EMPTY the file is empty/);
    assert.match(first('# nothing\n'), /STAMP_EMPTY/);
    assert.match(first('- a\n'), /^1:1 STAMP_NOT_A_MAPPING/);
    assert.match(first('a: b: c'), /^1:4 YAML_SYNTAX not valid YAML/);
    assert.match(first('a: 1\n\tb: 2'), /^2:1 YAML_SYNTAX/);
    assert.match(first('a: 1\n---\nb: 2'), /^2:1 YAML_SYNTAX a stamp is one YAML document/);
    assert.match(first('a: !tag 1'), /YAML_SYNTAX YAML tags/);
    assert.match(first('? [1]\n: 2'), /YAML_SYNTAX a key must be text/);
    assert.match(first('a: *b'), /^1:4 YAML_ALIASES no anchor `&b` stands before/);
    assert.match(first('a: &b [*b]'), /^1:8 YAML_ALIASES the alias `\*b` contains itself/);
  });

  test('a duplicate key is reported beside all other mistakes', () => {
    const text = broken(['  rto: 90m', '  rto: 90m\n  rto: 60m'], ['syncEvery: 5m', 'syncEvery: often']);
    const codes = problemsOf(text).map(({ code, line }) => [code, line]);
    assert.deepEqual(codes, [
      ['WRONG_VALUE', lineOf(text, 'often')],
      ['YAML_DUPLICATE_KEY', lineOf(text, 'rto: 60m')],
    ]);
  });

  test('nesting and aliases are bounded', () => {
    assert.match(first('['.repeat(50_000)), /YAML_SYNTAX/);
    assert.match(first(`a: ${'['.repeat(200)}${']'.repeat(200)}`), /nested deeper than 32 levels/);
    const lists = Array.from({ length: 9 }, (_, n) => `l${n + 1}: &l${n + 1} [${Array(9).fill(`*l${n}`).join(',')}]`);
    assert.match(first(`l0: &l0 [x]\n${lists.join('\n')}`), /YAML_ALIASES aliases cannot be resolved/);
    assert.match(first(`l0: &l0 x\nl1: [${Array(101).fill('*l0').join(',')}]`), /YAML_ALIASES more than 100/);
  });
});

describe('files', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'understudy-stamp-'));
  });
  after(() => rm(directory, { recursive: true }));

  const codeOfFile = async (name: string, content?: string | Uint8Array): Promise<string | undefined> => {
    const file = join(directory, name);
    if (content !== undefined) await writeFile(file, content);
    const loaded = await loadStamp(file);
    return loaded.ok ? undefined : loaded.problems[0]?.code;
  };

  test('what cannot be read is a problem, not an exception', async () => {
    assert.equal(await codeOfFile('missing.yaml'), 'STAMP_FILE_MISSING');
    assert.equal(await codeOfFile('.'), 'STAMP_FILE_UNREADABLE');
    assert.equal(await codeOfFile('large.yaml', `#${'x'.repeat(1_048_576)}`), 'STAMP_FILE_TOO_LARGE');
    assert.equal(await codeOfFile('latin.yaml', Uint8Array.of(0x61, 0x3a, 0xe9)), 'STAMP_FILE_UNREADABLE');
    assert.equal(await codeOfFile('right.yaml', exampleText), undefined);
    assert.equal(await codeOfFile('mark.yaml', `\uFEFF${exampleText}`), undefined);
  });
});

test('problems are printed as file:line:column, path, message and hint', () => {
  const problem = { path: 'a.b', line: 3, column: 5, code: 'WRONG_VALUE', message: 'must be so' } as const;
  assert.equal(formatProblems([problem], 'stamp.yaml'), 'stamp.yaml:3:5  a.b  must be so\n');
  const whole = { path: '', line: 0, column: 0, code: 'STAMP_EMPTY', message: 'empty', hint: 'write' } as const;
  assert.equal(formatProblems([whole], 'stamp.yaml'), 'stamp.yaml  empty\n    write\n');
  assert.equal(formatPath(['a', 0, 'b-c', 'd e']), 'a[0].b-c["d e"]');
});
