// Bad input through the command line, as its users meet it: a message that names the place, an exit code that a script can
// rely on, never a stack trace and never a secret.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openLayout, type Layout } from '../../lab/layout.ts';
import { stampText } from '../../lab/stamp-text.ts';
import { understudy, type Ended } from './testing/command-line.ts';

let layout: Layout;
let right: string;
before(async () => {
  layout = openLayout(await mkdtemp(join(tmpdir(), 'understudy-bad-input-')), 1);
  right = stampText(layout);
});
after(() => rm(layout.directory, { recursive: true, force: true }));

describe('a stamp with a mistake', { concurrency: 2 }, () => {
  const mistakes = [
    {
      name: 'a misspelt key',
      wrong: ['    deletions: propagate', '    deletion: propagate'],
      path: /dependencies\[\d\]/,
      says: /deletion\b.*/,
      hint: /deletions/,
    },
    {
      name: 'a cycle of dependencies',
      wrong: ['kind: storage\n    after: [identity]', 'kind: storage\n    after: [databricks]'],
      path: /dependencies/,
      says: /storage → databricks|databricks → storage|databricks.*storage|storage.*databricks/,
    },
    {
      name: 'an unknown upstream',
      wrong: ['rung: other-region, upstream: chat-partner', 'rung: other-region, upstream: chat-partnr'],
      path: /gateway\.routes\[0\]\.ladder\[1\]\.upstream/,
      says: /chat-partnr/,
      hint: /chat-partner/,
    },
  ] as const;
  for (const mistake of mistakes) {
    void test(`${mistake.name} is named with its line`, async () => {
      const [from, to] = mistake.wrong;
      assert.ok(right.includes(from), 'the lab’s stamp still has this line');
      const text = right.replace(from, to);
      const file = await write(`${mistake.name.replaceAll(' ', '-')}.yaml`, text);
      const place = text.slice(0, text.indexOf(to) + Math.max(0, to.lastIndexOf('\n') + 1));
      const line = place.split('\n').length;
      const found = await understudy(['check', file]);
      assertRefused(found, 1);
      const message = `${found.stdout}${found.stderr}`;
      assert.match(message, new RegExp(`${escape(file)}:${line}:\\d+ `));
      assert.match(message, mistake.path);
      assert.match(message, mistake.says);
      if ('hint' in mistake) assert.match(message, mistake.hint);

      const json = await understudy(['check', file, '--json']);
      assert.equal(json.code, 1);
      const report = JSON.parse(json.stdout) as { ok: boolean; problems: { line: number; code: string }[] };
      assert.equal(report.ok, false);
      assert.ok(report.problems.some((problem) => problem.line === line && /^[A-Z_]+$/.test(problem.code)));

      // The same stamp keeps every other command from starting.
      const served = await understudy(['serve', 'home', '--stamp', file]);
      assertRefused(served, 1);
      assert.match(served.stderr, new RegExp(`${escape(file)}:${line}:`));
    });
  }

  void test('every mistake is named at once', async () => {
    const text = right.replace('deletions: propagate', 'deletion: propagate').replace('name: lab', 'nam: lab');
    const found = await understudy(['check', await write('two.yaml', text)]);
    assertRefused(found, 1);
    assert.match(found.stdout, /deletion\b/);
    assert.match(found.stdout, /\bnam\b/);
  });

  void test('a file that is not there', async () => {
    const file = join(layout.directory, 'none.yaml');
    const found = await understudy(['check', file]);
    assertRefused(found, 1);
    assert.match(`${found.stdout}${found.stderr}`, new RegExp(escape(file)));
  });
});

describe('a secret whose file is missing', () => {
  void test('stops serve with the reference', async () => {
    const file = await write('stamp.yaml', right.replaceAll('file:keys/home.pem', 'file:keys/nowhere.pem'));
    const found = await understudy(['serve', 'home', '--stamp', file]);
    assertRefused(found, 1);
    assert.match(found.stderr, /secret file:keys\/nowhere\.pem cannot be read/);
    await noSecretIn(found);
  });
  void test('is a finding of assess', async () => {
    const file = await write('stamp.yaml', right);
    await unlink(join(layout.directory, 'secrets', 'databricks-home'));
    const found = await understudy(['assess', '--stamp', file, '--json']);
    assertRefused(found, 1);
    assert.match(`${found.stdout}${found.stderr}`, /secret file:secrets\/databricks-home cannot be read/);
    assert.ok(typeof JSON.parse(found.stdout) === 'object', 'JSON on request');
    await noSecretIn(found);
  });
});

describe('a command line that cannot be meant', { concurrency: 2 }, () => {
  for (const args of [['fialover'], ['serve', 'somewhere'], ['check', '--jsn'], ['approve'], []]) {
    void test(`understudy ${args.join(' ')} ends with 2`, async () => {
      const found = await understudy(args);
      assertRefused(found, 2);
      assert.notEqual(found.stderr, '');
    });
  }
  void test('a duration that is none ends with 2', async () => {
    const file = await write('stamp.yaml', right);
    const found = await understudy(['failover', '--stamp', file, '--incident-ago', 'yesterday']);
    assertRefused(found, 2);
    assert.match(found.stderr, /yesterday/);
  });
  void test('--json makes the error JSON', async () => {
    const file = await write('stamp.yaml', right);
    for (const [args, code] of [
      [['status', '--stamp', file], 'UNREACHABLE'],
      [['status', '--stamp', file, '--as', 'mallory'], 'PERSON_UNKNOWN'],
      [['map', '--stamp', join(layout.directory, 'none.yaml')], 'STAMP_INVALID'],
      [['approve', 'run-1', '--stamp', file], 'PERSON_NEEDED'],
    ] as const) {
      const found = await understudy([...args, '--json']);
      assertRefused(found, 1);
      const body = JSON.parse(found.stdout) as { error: { code: string; message: string } };
      assert.equal(body.error.code, code);
      assert.notEqual(body.error.message, '');
    }
  });
});

async function write(name: string, text: string): Promise<string> {
  const file = join(layout.directory, name);
  await writeFile(file, text);
  return file;
}

function assertRefused(found: Ended, code: 1 | 2): void {
  const all = `${found.stdout}${found.stderr}`;
  assert.equal(found.code, code, all);
  assert.doesNotMatch(all, /^ +at .+:\d+:\d+\)?$/m, 'no stack trace');
}

async function noSecretIn(found: Ended): Promise<void> {
  const folder = join(layout.directory, 'secrets');
  for (const name of await readdir(folder)) {
    const value = (await readFile(join(folder, name), 'utf8')).trim();
    assert.ok(!`${found.stdout}${found.stderr}`.includes(value), `${name} appears in the output`);
  }
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
