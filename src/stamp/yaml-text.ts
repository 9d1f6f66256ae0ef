// Reads YAML text into a plain value and remembers where everything stood, so that a mistake found later can be shown at
// its line. What YAML allows and a stamp does not need (several documents, tags, keys that are not text) is refused here.

import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, Pair } from 'yaml';
import { describeError } from '#base';
import type { Path, Problem, ProblemCode } from './problem.ts';

/** Aliases in one file; more than this is not configuration but an attack on the reader. */
const aliasesMax = 100;
/** Levels of nesting; a stamp needs eight. */
const depthMax = 32;

export interface YamlText {
  /** Plain data; undefined when the text cannot be read as YAML at all. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Line and column of what stands at `path`, or of its nearest parent; with `key`, of that key inside it. */
  locate(path: Path, key?: string): { readonly line: number; readonly column: number };
}

export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const at: Locator = (offset) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const options = { lineCounter: lines, prettyErrors: false, logLevel: 'error', version: '1.2' } as const;
  let document: Document;
  try {
    document = parseDocument(text, options);
  } catch {
    // The parser recurses: text nested some thousand levels deep exhausts the stack.
    return unreadable([{ path: '', line: 1, column: 1, code: 'YAML_SYNTAX', message: 'nested too deeply to be read' }]);
  }
  const problems = [...document.errors, ...document.warnings].map((error): Problem => {
    const { code, message } = describe(error.code, error.message);
    return { path: '', ...at(error.pos[0]), code, message };
  });
  // A duplicate key leaves a readable document: the rest is checked too. After anything else the content is a guess.
  if (problems.every(isDuplicateKey)) problems.push(...refusals(document, at));
  if (!problems.every(isDuplicateKey)) return unreadable(problems);
  try {
    const value = document.toJS({ maxAliasCount: aliasesMax }) as unknown;
    return { value, problems, locate: (path, key) => at(offsetOf(document, path, key)) };
  } catch (error) {
    // Aliases of aliases multiply: the library counts what they would expand to and refuses.
    const message = `aliases cannot be resolved: ${describeError(error)}`;
    return unreadable([...problems, { path: '', line: 1, column: 1, code: 'YAML_ALIASES', message }]);
  }
}

type Locator = (offset: number) => { readonly line: number; readonly column: number };

function unreadable(problems: readonly Problem[]): YamlText {
  return { value: undefined, problems, locate: () => ({ line: 1, column: 1 }) };
}

function isDuplicateKey(problem: Problem): boolean {
  return problem.code === 'YAML_DUPLICATE_KEY';
}

function describe(code: string, message: string): { code: ProblemCode; message: string } {
  switch (code) {
    case 'DUPLICATE_KEY':
      return { code: 'YAML_DUPLICATE_KEY', message: 'this key stands twice in the same mapping' };
    case 'MULTIPLE_DOCS':
      return { code: 'YAML_SYNTAX', message: 'a stamp is one YAML document; a second one begins here' };
    case 'TAG_RESOLVE_FAILED':
      return { code: 'YAML_SYNTAX', message: 'YAML tags (`!name`) have no meaning in a stamp' };
    case 'RESOURCE_EXHAUSTION':
      return { code: 'YAML_SYNTAX', message: 'nested too deeply to be read' };
    default:
      return { code: 'YAML_SYNTAX', message: `not valid YAML: ${message}` };
  }
}

/** What parses as YAML and is refused all the same, because reading it would be unbounded or ambiguous. */
function refusals(document: Document, at: Locator): Problem[] {
  const problems: Problem[] = [];
  const refuse = (node: Node | null, code: ProblemCode, message: string): void => {
    problems.push({ path: '', ...at(node?.range?.[0] ?? 0), code, message });
  };
  let aliases = 0;
  visit(document, {
    Pair(_, pair) {
      const key = pair.key as Node | null;
      if (isScalar(key) && typeof key.value === 'string') return;
      refuse(key, 'YAML_SYNTAX', 'a key must be text; put it in quotes');
    },
    Alias(_, alias, ancestors) {
      aliases += 1;
      const target = alias.resolve(document);
      if (target === undefined) {
        refuse(alias, 'YAML_ALIASES', `no anchor \`&${alias.source}\` stands before this alias`);
      } else if (ancestors.includes(target)) {
        refuse(alias, 'YAML_ALIASES', `the alias \`*${alias.source}\` contains itself`);
      } else if (aliases === aliasesMax + 1) {
        refuse(alias, 'YAML_ALIASES', `more than ${aliasesMax} aliases`);
      }
    },
    Node(_, node, ancestors) {
      if (ancestors.length <= depthMax * 2) return undefined;
      refuse(node, 'YAML_SYNTAX', `nested deeper than ${depthMax} levels`);
      return visit.BREAK;
    },
  });
  return problems;
}

function offsetOf(document: Document, path: Path, key: string | undefined): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    const container = isAlias(node) ? node.resolve(document) : node;
    if (isSeq(container)) {
      node = container.items[Number(part)];
      offset = startOf(node) ?? offset;
    } else {
      const pair = pairOf(container, String(part));
      if (pair === undefined) return offset;
      node = pair.value;
      offset = pointAt(pair, offset);
    }
  }
  if (key === undefined) return offset;
  return startOf(pairOf(isAlias(node) ? node.resolve(document) : node, key)?.key) ?? offset;
}

function pairOf(node: unknown, key: string): Pair | undefined {
  if (!isMap(node)) return undefined;
  // The last of two equal keys is the one whose value counts.
  return node.items.findLast((pair) => isScalar(pair.key) && pair.key.value === key);
}

/** A scalar is shown where it stands; a mapping or list where its key stands, because that is the line people edit. */
function pointAt(pair: Pair, fallback: number): number {
  const { value } = pair;
  const written = (isScalar(value) && value.value !== null) || isAlias(value);
  return (written ? startOf(value) : undefined) ?? startOf(pair.key) ?? fallback;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
