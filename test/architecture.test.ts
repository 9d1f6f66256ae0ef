// Keeps the folders the architecture. Each rule is also shown a text that breaks it, so that none can pass by not looking.

import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { breaches, folderOrder, type Packages } from './architecture/rules.ts';
import { blank, importsOf } from './architecture/source.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

async function packagesOf(): Promise<Packages> {
  const manifest = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as Record<string, Record<string, string>>;
  const names = (key: string): Set<string> => new Set(Object.keys(manifest[key] ?? {}));
  return { dependencies: names('dependencies'), devDependencies: names('devDependencies') };
}

test('no file of the repository breaks the architecture', async () => {
  const packages = await packagesOf();
  const found: string[] = [];
  const folders = new Set<string>();
  let files = 0;
  for await (const name of glob('{src,lab,test,scripts,bench,bin}/**/*.{ts,mjs}', { cwd: root })) {
    if (name.startsWith('lab/stubs/')) continue;
    const text = await readFile(`${root}${name}`, 'utf8');
    found.push(...breaches({ name: name.replaceAll('\\', '/'), text }, packages));
    files += 1;
    const [, folder] = /^src\/([^/]+)\//.exec(name) ?? [];
    if (folder !== undefined) folders.add(folder);
  }
  assert.ok(files > 50, `found the sources (${files} files)`);
  assert.deepEqual(found.toSorted(), []);
  const order: readonly string[] = folderOrder;
  assert.deepEqual(
    [...folders].filter((folder) => !order.includes(folder)),
    [],
    'every folder has its place',
  );
});

describe('a breach is found', () => {
  const packages: Packages = {
    dependencies: new Set(['zod', '@azure/identity']),
    devDependencies: new Set(['openai']),
  };
  const found = (name: string, text: string): string[] => breaches({ name, text }, packages);

  test('against the folder order', () => {
    const name = 'src/journal/segment.ts';
    assert.deepEqual(found(name, "import { Failure } from '#base';\nimport { Stamp } from '#stamp';"), []);
    assert.match(
      found(name, "import { x } from '#gateway';")[0] ?? '',
      /^src\/journal\/segment\.ts:1 imports #gateway, which comes after/,
    );
    assert.match(found(name, "\nimport type { X } from '#run';")[0] ?? '', /segment\.ts:2 imports #run/);
    assert.match(found(name, "export * from '#control';")[0] ?? '', /imports #control/);
    assert.match(found(name, "const x = await import('#cli');")[0] ?? '', /imports #cli/);
    assert.match(found(name, "import {\n  a,\n  b,\n} from '#journal';")[0] ?? '', /:4 imports its own folder/);
    assert.match(found(name, "import '#utils';")[0] ?? '', /no folder of the order/);
    assert.match(found('src/utils/a.ts', "import { x } from '#base';")[0] ?? '', /src\/utils, which is no folder/);
    assert.deepEqual(found('src/main.ts', "import { x } from '#cli';"), []);
  });

  test('past a mod.ts', () => {
    assert.match(
      found('src/run/a.ts', "import { x } from '../base/errors.ts';")[0] ?? '',
      /reaches into src\/base\/errors\.ts: import #base/,
    );
    assert.match(found('src/run/steps/a.ts', "import { x } from '../../base/mod.ts';")[0] ?? '', /import #base/);
    assert.deepEqual(found('src/run/steps/a.ts', "import { x } from '../engine.ts';"), []);
    assert.match(
      found('lab/model/a.ts', "import { x } from '../kit/faults.ts';")[0] ?? '',
      /past the mod\.ts of lab\/kit/,
    );
    assert.deepEqual(found('lab/model/a.ts', "import { x } from '../kit/mod.ts';"), []);
    assert.deepEqual(found('lab/model/a.ts', "fork(new URL('main.ts', import.meta.url));"), []);
    assert.match(found('test/a.test.ts', "import { x } from '../src/run/engine.ts';")[0] ?? '', /import #run/);
    assert.match(
      found('src/run/a.ts', "fork(new URL('../ledger/child.ts', import.meta.url));")[0] ?? '',
      /import #ledger/,
    );
  });

  test('from src to lab or to tests', () => {
    assert.match(found('src/run/a.ts', "import { x } from '../../lab/kit/mod.ts';")[0] ?? '', /src stands on nothing/);
    assert.match(found('src/run/a.test.ts', "import { x } from '../../lab/kit/mod.ts';")[0] ?? '', /never imports lab/);
    assert.match(found('src/run/a.ts', "import { x } from '../../test/help.ts';")[0] ?? '', /src stands on nothing/);
  });

  test('but programs may be started', () => {
    const start = "spawn(fileURLToPath(new URL('../../lab/main.ts', import.meta.url)));";
    assert.deepEqual(found('src/cli/lab.ts', start), []);
    assert.match(found('src/run/a.ts', start)[0] ?? '', /src stands on nothing/);
    assert.match(found('src/cli/lab.ts', "import { x } from '../../lab/main.ts';")[0] ?? '', /src stands on nothing/);
    assert.deepEqual(found('bin/understudy.mjs', "const { main } = await import('../src/main.ts');"), []);
  });

  test('of packages', () => {
    assert.deepEqual(found('src/run/a.ts', "import { z } from 'zod';\nimport x from '@azure/identity/sub';"), []);
    assert.match(found('src/run/a.ts', "import OpenAI from 'openai';")[0] ?? '', /openai at run time/);
    assert.match(found('src/run/a.ts', "import { type X } from 'openai';")[0] ?? '', /openai at run time/);
    assert.deepEqual(found('src/run/a.ts', "import type OpenAI from 'openai';"), []);
    assert.deepEqual(found('src/run/a.test.ts', "import OpenAI from 'openai';"), []);
    assert.match(found('lab/a.ts', "import x from 'left-pad';")[0] ?? '', /package\.json does not list/);
  });

  test('of time and chance', () => {
    const name = 'src/run/a.ts';
    for (const text of [
      'Date.now()',
      'const f = Date.now;',
      'new Date()',
      'Date()',
      'Math.random()',
      'performance.now()',
      'setTimeout(f, 1)',
      'globalThis.setTimeout(f, 1)',
      'setInterval(f, 1)',
      '`${Date.now()}`',
      "import { setTimeout as sleep } from 'node:timers/promises';",
    ]) {
      assert.notDeepEqual(found(name, text), [], text);
      assert.deepEqual(found('src/base/clock.ts', text), [], 'base may');
      assert.deepEqual(found('src/run/a.test.ts', text), [], 'tests may');
    }
    for (const text of [
      'new Date(ms)',
      'server.setTimeout(5)',
      '// Date.now()',
      "'Math.random()'",
      '`setTimeout(`',
      'matchDate(1)',
      '/Date.now/.test(x)',
    ]) {
      assert.deepEqual(found(name, text), [], text);
    }
  });
});

describe('reading sources', () => {
  test('comments, strings, templates and regular expressions are blanked in place', () => {
    assert.equal(blank("a // 'b'\nc"), 'a       \nc');
    assert.equal(blank("a('x\\'y') /* ' */ b"), "a('    ')         b");
    assert.equal(blank('`a ${ {b: `c`} } d` + e'), '`  ${ {b: ` `} }  ` + e');
    assert.equal(blank('x.replace(/["\'/]\\//g, y) / 2'), 'x.replace(/       /g, y) / 2');
    assert.equal(blank("a / b; 'c' / d"), "a / b; ' ' / d");
  });

  test('imports in comments and strings are none', () => {
    assert.deepEqual(importsOf("// import { a } from 'b';\nconst text = `import 'c'`;\nArray.from('d');"), []);
  });

  test('type-only imports are told from others', () => {
    const kinds = importsOf(
      "import type { A } from 'a';\nimport type B from 'b';\nimport type from 'c';\nimport { type D } from 'd';\n" +
        "export type { E } from 'e';\nexport * from 'f';\ntype G = typeof import('g');\nimport 'h';",
    );
    const typeOnly = kinds.filter((each) => each.typeOnly).map((each) => each.specifier);
    assert.deepEqual(kinds.map((each) => each.specifier).join(''), 'abcdefgh');
    assert.deepEqual(typeOnly, ['a', 'b', 'e', 'g']);
  });
});
