// One mistake in a stamp file: where it is, what is wrong, how to mend it. Messages never repeat a value that could be a
// secret; only names that the stamp itself declares are quoted.

export type ProblemCode =
  | 'STAMP_FILE_MISSING'
  | 'STAMP_FILE_UNREADABLE'
  | 'STAMP_FILE_TOO_LARGE'
  | 'STAMP_EMPTY'
  | 'STAMP_NOT_A_MAPPING'
  | 'YAML_SYNTAX'
  | 'YAML_DUPLICATE_KEY'
  | 'YAML_ALIASES'
  | 'UNKNOWN_KEY'
  | 'MISSING_KEY'
  | 'WRONG_TYPE'
  | 'WRONG_VALUE'
  | 'DUPLICATE'
  | 'UNKNOWN_REFERENCE'
  | 'DEPENDENCY_CYCLE'
  | 'DEPENDENCY_COUNT'
  | 'SITES_SHARED'
  | 'LADDER_ORDER'
  | 'CANARY_NOT_ALLOWED'
  | 'APPROVALS_UNREACHABLE'
  | 'CONTRADICTION';

/** Where a value stands: keys and list positions from the top. */
export type Path = readonly (string | number)[];

export interface Problem {
  /** In the words of the file: `gateway.routes[0].ladder[1].upstream`; empty for the file as a whole. */
  readonly path: string;
  /** 1 for the first line; 0 when the mistake is not in the text (a missing file). */
  readonly line: number;
  /** 1 for the first column; 0 as for `line`. */
  readonly column: number;
  readonly code: ProblemCode;
  readonly message: string;
  /** How to mend it. */
  readonly hint?: string;
}

/** A mistake whose line is not looked up yet. */
export interface Mistake {
  readonly path: Path;
  readonly code: ProblemCode;
  readonly message: string;
  readonly hint?: string;
  /** Point at this key inside `path` instead of at the value there. */
  readonly key?: string;
}

/** `['gateway', 'routes', 0, 'id']` as people write it: `gateway.routes[0].id`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** Lines for people: `file:line:column  path  message`, each hint below its line. Ends with a newline unless empty. */
export function formatProblems(problems: readonly Problem[], file: string): string {
  return problems
    .map((problem) => {
      const place = problem.line > 0 ? `${file}:${problem.line}:${problem.column}` : file;
      const line = [place, problem.path, problem.message].filter((part) => part !== '').join('  ');
      return problem.hint === undefined ? `${line}\n` : `${line}\n    ${problem.hint}\n`;
    })
    .join('');
}
