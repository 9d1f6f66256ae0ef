// The instructions a simulated model can follow, all derived from the wording of the prompt: a word to reply with, text to
// repeat, arithmetic, sorting, upper and lower case, values to put into JSON.

import { calculate } from './arithmetic.ts';
import { pairsIn } from './extraction.ts';

interface Followed {
  readonly text: string;
  readonly json: boolean;
}

type Rule = (prompt: string) => string | undefined;

/** What the prompt asks for, or undefined when nothing in it can be followed mechanically. */
export function follow(prompt: string): Followed | undefined {
  for (const rule of [word, repetition, sorted, cased, calculated]) {
    const text = rule(prompt);
    if (text !== undefined) return { text, json: false };
  }
  if (!/\bjson\b/i.test(prompt)) return undefined;
  const pairs = pairsIn(prompt);
  return Object.keys(pairs).length === 0 ? undefined : { text: JSON.stringify(pairs), json: true };
}

/** `Reply with the word X`, `Answer with only the word "X"`. */
const word: Rule = (prompt) =>
  /\b(?:reply|answer|respond)\s+with\s+(?:(?:only|just|exactly)\s+)?the\s+(?:single\s+|one\s+)?word\s+["'“‘]?([\p{L}\p{N}_-]+)/iu.exec(
    prompt,
  )?.[1];

/** `Repeat exactly: …`, `Repeat this text: …`. */
const repetition: Rule = (prompt) => /^\s*repeat\b[^:\n]*:\s*(\S[\s\S]*)$/i.exec(prompt)?.[1]?.trimEnd();

/** `Sort these words alphabetically: pear, apple` gives `apple, pear`. */
const sorted: Rule = (prompt) => {
  const list = /\bsort\b[^:\n]*:\s*(.+)$/ims.exec(prompt)?.[1];
  if (list === undefined) return undefined;
  const items = list
    .replace(/[.\s]+$/, '')
    .split(/\s*,\s*/)
    .filter((item) => item !== '');
  return items.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).join(', ');
};

/** `Write in upper case: text`. */
const cased: Rule = (prompt) => {
  const match = /\b(upper|lower)[ -]?case\b[^:\n]*:\s*(\S[\s\S]*)$/i.exec(prompt);
  if (match?.[2] === undefined) return undefined;
  const text = match[2].trimEnd();
  return match[1]?.toLowerCase() === 'upper' ? text.toUpperCase() : text.toLowerCase();
};

/** `What is 17 + 25?`, `Compute (2 + 3) * 4`, `What is 12 times 12?`. */
const calculated: Rule = (prompt) => {
  const symbols = prompt
    .replace(/\bplus\b/gi, '+')
    .replace(/\bminus\b/gi, '-')
    .replace(/\b(?:times|multiplied by)\b|[×·]/gi, '*')
    .replace(/\bdivided by\b|÷/gi, '/');
  const expression = /[-(]*\d[\d.\s+\-*/()]*[+\-*/][\d.\s+\-*/()]*\d\)*/.exec(symbols)?.[0];
  if (expression === undefined || !/\b(?:what|compute|calculate|evaluate|how much|sum|product)\b/i.test(prompt)) {
    return undefined;
  }
  return calculate(expression);
};
