// The rules of the folders, as functions of a file's name and text: who may import whom, which packages, and where time
// and chance may come from. DESIGN: "the folders are the architecture".

import { dirname, join } from 'node:path/posix';
import { blank, importsOf, lineAt, type Import } from './source.ts';

/** Each folder imports only from those before it. */
export const folderOrder = [
  'base',
  'stamp',
  'ledger',
  'journal',
  'behavior',
  'resilience',
  'gateway',
  'telemetry',
  'connectors',
  'replication',
  'canary',
  'runbook',
  'run',
  'evidence',
  'control',
  'cli',
  'console',
] as const;

export interface SourceFile {
  /** Relative to the repository, with forward slashes: `src/gateway/plan.ts`. */
  readonly name: string;
  readonly text: string;
}

export interface Packages {
  readonly dependencies: ReadonlySet<string>;
  readonly devDependencies: ReadonlySet<string>;
}

/** Each breach as `file:line what is wrong`. */
export function breaches(file: SourceFile, packages: Packages): string[] {
  const found = importsOf(file.text).flatMap((each) => {
    const what = judgeImport(file.name, each, packages);
    return what === undefined ? [] : [`${file.name}:${each.line} ${what}`];
  });
  return [...found, ...strayTime(file)];
}

// ---- imports --------------------------------------------------------------------------------------------------------

interface Place {
  /** `src`, `lab`, `test`, … */
  readonly top: string;
  /** The folder below `src` or `lab`; undefined for a file directly in it, such as src/main.ts. */
  readonly folder: string | undefined;
}

function judgeImport(name: string, each: Import, packages: Packages): string | undefined {
  const { specifier } = each;
  if (specifier.startsWith('node:')) return undefined;
  if (specifier.startsWith('#')) return judgeFolder(placeOf(name), specifier.slice(1));
  if (/^\.\.?\//.test(specifier)) return judgeRelative(name, each);
  return judgePackage(name, each, packages);
}

function judgeFolder({ top, folder }: Place, wanted: string): string | undefined {
  const order: readonly string[] = folderOrder;
  if (!order.includes(wanted)) return `imports #${wanted}, which is no folder of the order`;
  if (top !== 'src' || folder === undefined) return undefined;
  if (!order.includes(folder)) return `stands in src/${folder}, which is no folder of the order`;
  if (wanted === folder) return `imports its own folder as #${wanted}: inside a folder imports are relative`;
  return order.indexOf(wanted) < order.indexOf(folder) ? undefined : `imports #${wanted}, which comes after ${folder}`;
}

function judgeRelative(name: string, { specifier, started }: Import): string | undefined {
  const target = join(dirname(name), specifier);
  const from = placeOf(name);
  const to = placeOf(target);
  if (from.top === to.top && from.folder === to.folder) return undefined;
  if (mayStart(from, target, started)) return undefined;
  if (to.top === 'src') {
    return to.folder === undefined ? `imports ${target}` : `reaches into ${target}: import #${to.folder}`;
  }
  if (from.top === 'src' && !isTest(name)) return `imports ${target}: src stands on nothing but itself`;
  if (from.top === 'src' && to.top === 'lab') return `imports ${target}: src never imports lab`;
  if (to.top !== 'lab' || target.endsWith('/mod.ts') || isTest(name)) return undefined;
  return `reaches past the mod.ts of lab/${to.folder ?? ''}: ${target}`;
}

/** A main.ts is a program. The launcher loads ours; the command line and the lab start the lab's, as processes. */
function mayStart(from: Place, target: string, started: boolean): boolean {
  if (from.top === 'bin') return target === 'src/main.ts';
  const starter = from.top === 'lab' || from.top === 'test' || (from.top === 'src' && from.folder === 'cli');
  return starter && started && /^lab\/(.*\/)?main\.ts$/.test(target);
}

function judgePackage(name: string, { specifier, typeOnly }: Import, packages: Packages): string | undefined {
  const packageName = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (packages.dependencies.has(packageName)) return undefined;
  if (!packages.devDependencies.has(packageName)) return `imports ${packageName}, which package.json does not list`;
  const shipped = name.startsWith('src/') && !isTest(name);
  return shipped && !typeOnly
    ? `imports ${packageName} at run time, which is only a development dependency`
    : undefined;
}

function placeOf(name: string): Place {
  const [top = '', folder, ...rest] = name.split('/');
  return { top, folder: (top === 'src' || top === 'lab') && rest.length > 0 ? folder : undefined };
}

/** Tests and what only tests use. */
export function isTest(name: string): boolean {
  return /\.test\.ts$|\/testing(\/|\.ts$)/.test(name);
}

// ---- time and chance ------------------------------------------------------------------------------------------------

const strays: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\bDate\.now\b/g, 'Date.now'],
  [/\bnew Date\(\s*\)/g, 'new Date()'],
  [/(?<![.\w$])Date\(/g, 'Date()'],
  [/\bMath\.random\b/g, 'Math.random'],
  [/\bperformance\.now\b/g, 'performance.now'],
  // `socket.setTimeout(…)` is another thing; `globalThis.setTimeout` is not.
  [/(?<![.\w$]|function )(?:globalThis\.)?setTimeout\b/g, 'setTimeout'],
  [/(?<![.\w$]|function )(?:globalThis\.)?setInterval\b/g, 'setInterval'],
];

function strayTime({ name, text }: SourceFile): string[] {
  if (!name.startsWith('src/') || name.startsWith('src/base/') || isTest(name)) return [];
  const code = blank(text);
  const used = strays.flatMap(([pattern, what]) =>
    [...code.matchAll(pattern)]
      // `new Date(ms)` only formats; `Date(` without new ignores its arguments.
      .filter((match) => what !== 'Date()' || !/\bnew\s+$/.test(code.slice(0, match.index)))
      .map((match) => `${name}:${lineAt(code, match.index)} uses ${what}: take a Clock or Randomness from #base`),
  );
  const timers = importsOf(text).filter(({ specifier }) => /^(node:)?timers(\/|$)/.test(specifier));
  return [
    ...used,
    ...timers.map(({ line, specifier }) => `${name}:${line} imports ${specifier}: take a Clock from #base`),
  ];
}
