// Reads TypeScript as text: which modules a file imports, and its code with comments and the content of strings blanked.
// Everything keeps its place, so that a finding can be shown at its line.

export interface Import {
  readonly specifier: string;
  /** Gone at run time: `import type`, `export type … from`, `typeof import(…)`. */
  readonly typeOnly: boolean;
  /** Named by `new URL(…, import.meta.url)`: another process or thread runs it. */
  readonly started: boolean;
  readonly line: number;
}

/** The same text with comments, string contents, template texts and regular expressions turned into spaces. */
export function blank(source: string): string {
  const code = source.split('');
  const erase = (from: number, to: number): void => {
    for (let at = from; at < to; at++) if (code[at] !== '\n') code[at] = ' ';
  };
  // Depth of braces at which each open `${` ends.
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  while (at < source.length) {
    const character = source[at]!;
    const pair = source.slice(at, at + 2);
    let end = at + 1;
    if (pair === '//') erase(at, (end = endOf(source, at, '\n')));
    else if (pair === '/*') erase(at, (end = endOf(source, at + 2, '*/') + 2));
    else if (character === "'" || character === '"') erase(at + 1, (end = endOfQuoted(source, at)) - 1);
    else if (character === '/' && startsRegularExpression(code.slice(Math.max(0, at - 80), at).join(''))) {
      erase(at + 1, (end = endOfRegularExpression(source, at)) - 1);
    } else if (character === '`' || (character === '}' && templates.at(-1) === depth)) {
      if (character === '}') templates.pop();
      end = endOfTemplateText(source, at + 1);
      erase(at + 1, source[end - 1] === '`' ? end - 1 : end - 2);
      if (source[end - 1] === '{') templates.push(depth);
    } else if (character === '{') depth += 1;
    else if (character === '}') depth -= 1;
    at = end;
  }
  return code.join('');
}

/** Every module the file names: static and dynamic imports, re-exports, and files started by `new URL(…, import.meta.url)`. */
export function importsOf(source: string): Import[] {
  const code = blank(source);
  const pattern =
    /(?<keyword>\bfrom\s*|\bimport\s*\(\s*|^\s*import\s*|\bnew URL\(\s*)(?<quote>['"])(?<blank> *)\k<quote>(?<after>[^\n]{0,20})/gm;
  return [...code.matchAll(pattern)].flatMap((match): Import[] => {
    const { keyword = '', blank: content = '', after = '' } = match.groups ?? {};
    const start = match.index + keyword.length + 1;
    const written = source.slice(start, start + content.length);
    const isUrl = keyword.startsWith('new URL');
    if (isUrl && !(/^\s*,\s*import\.meta/.test(after) && /\.(ts|mjs)$/.test(written))) return [];
    const specifier = isUrl && !written.startsWith('.') ? `./${written}` : written;
    return [{ specifier, typeOnly: isTypeOnly(code, match.index, keyword), started: isUrl, line: lineAt(code, start) }];
  });
}

/** 1 for the first line. */
export function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length;
}

function isTypeOnly(code: string, offset: number, keyword: string): boolean {
  const before = code.slice(0, offset);
  if (keyword.startsWith('import')) return /\btypeof\s*$/.test(before);
  if (!keyword.startsWith('from')) return false;
  // The statement this `from` ends began at the last `import` or `export` before it.
  const begin = Math.max(before.lastIndexOf('import'), before.lastIndexOf('export'));
  return (
    /^(import|export)\s+type\s+[^,]/.test(`${before.slice(begin)} `) && !/^import\s+type\s*$/.test(before.slice(begin))
  );
}

function endOf(source: string, from: number, mark: string): number {
  const end = source.indexOf(mark, from);
  return end < 0 ? source.length : end;
}

function endOfQuoted(source: string, from: number): number {
  const quote = source[from];
  for (let at = from + 1; at < source.length; at++) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === quote || source[at] === '\n') return at + 1;
  }
  return source.length;
}

function endOfTemplateText(source: string, from: number): number {
  for (let at = from; at < source.length; at++) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === '`') return at + 1;
    else if (source.startsWith('${', at)) return at + 2;
  }
  return source.length;
}

function endOfRegularExpression(source: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < source.length; at++) {
    const character = source[at];
    if (character === '\\') at += 1;
    else if (character === '[') inClass = true;
    else if (character === ']') inClass = false;
    else if (character === '\n' || (character === '/' && !inClass)) return at + 1;
  }
  return source.length;
}

/** A slash divides after a value and begins a regular expression everywhere else. */
function startsRegularExpression(before: string): boolean {
  const text = before.trimEnd();
  return text === '' || /[=(,:[!&|?{};+\-*%<>~^]$/.test(text) || /\b(return|typeof|case|in|of|await|yield)$/.test(text);
}
