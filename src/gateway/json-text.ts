// JSON as text: replaces single members of an object without touching the other bytes (a number of 64 bits would not
// survive being parsed and written again), and says where a broken text breaks.

interface Member {
  readonly key: string;
  /** From the opening quote of the key to the end of the value. */
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/**
 * The object text with some top-level members changed: a JSON text replaces the value, `undefined` removes the member,
 * a member that was not there is added. The text must be a valid JSON object.
 */
export function changeMembers(text: string, changes: ReadonlyMap<string, string | undefined>): string {
  const members = topLevelMembers(text);
  const kept: string[] = [];
  const written = new Set<string>();
  for (const member of members) {
    if (!changes.has(member.key)) {
      kept.push(text.slice(member.start, member.end));
      continue;
    }
    const value = changes.get(member.key);
    // A key given twice is written once: parsers differ in which one they take.
    if (value === undefined || written.has(member.key)) continue;
    written.add(member.key);
    kept.push(text.slice(member.start, member.valueStart) + value);
  }
  for (const [key, value] of changes) {
    if (value !== undefined && !written.has(key)) kept.push(`${JSON.stringify(key)}:${value}`);
  }
  return `{${kept.join(',')}}`;
}

function topLevelMembers(text: string): Member[] {
  const members: Member[] = [];
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (text[at] === '"') {
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, valueStart);
    members.push({ key, start: at, valueStart, end });
    const comma = skipSpace(text, end);
    if (text[comma] !== ',') break;
    at = skipSpace(text, comma + 1);
  }
  return members;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at++;
  return at;
}

/** Index after the closing quote. Jumps from quote to quote, so long texts cost little. */
function endOfString(text: string, start: number): number {
  for (let from = start + 1; ;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === 92) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== '{' && first !== '[') {
    let at = start;
    while (at < text.length && !',}] \t\n\r'.includes(text.charAt(at))) at++;
    return at;
  }
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 34) at = endOfString(text, at) - 1;
    else if (code === 123 || code === 91) depth++;
    else if ((code === 125 || code === 93) && --depth === 0) return at + 1;
  }
  return text.length;
}

/** Line and column (both from 1) of the first character at which the text stops being JSON. */
export function whereJsonBreaks(text: string): { readonly line: number; readonly column: number } {
  const at = breakingIndex(text);
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: at - lineStart + 1 };
}

const literal = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?=[\s,\]}]|$)/y;
const stringEscape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Walks the text without recursion: nesting is the sender's to choose. */
function breakingIndex(text: string): number {
  const open: string[] = [];
  let wants: 'value' | 'key' | 'key-or-end' | 'value-or-end' | 'colon' | 'after' = 'value';
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    const character = text.charAt(at);
    const isKey: boolean = wants === 'key' || wants === 'key-or-end';
    const closes = (character === '}' && wants === 'key-or-end') || (character === ']' && wants === 'value-or-end');
    if (closes || (wants === 'after' && character === open.at(-1))) {
      open.pop();
      wants = 'after';
      at++;
    } else if (wants === 'after') {
      if (character !== ',' || open.length === 0) return at;
      wants = open.at(-1) === '}' ? 'key' : 'value';
      at++;
    } else if (wants === 'colon') {
      if (character !== ':') return at;
      wants = 'value';
      at++;
    } else if (character === '"') {
      const end = checkedString(text, at);
      if (end.broken) return end.at;
      at = end.at;
      wants = isKey ? 'colon' : 'after';
    } else if (isKey) {
      return at;
    } else if (character === '{' || character === '[') {
      open.push(character === '{' ? '}' : ']');
      wants = character === '{' ? 'key-or-end' : 'value-or-end';
      at++;
    } else {
      literal.lastIndex = at;
      if (!literal.test(text)) return at;
      at = literal.lastIndex;
      wants = 'after';
    }
  }
  return text.length;
}

function checkedString(text: string, start: number): { at: number; broken: boolean } {
  for (let at = start + 1; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === 34) return { at: at + 1, broken: false };
    if (code < 32) return { at, broken: true };
    if (code !== 92) {
      at++;
      continue;
    }
    stringEscape.lastIndex = at;
    if (!stringEscape.test(text)) return { at, broken: true };
    at = stringEscape.lastIndex;
  }
  return { at: text.length, broken: true };
}
