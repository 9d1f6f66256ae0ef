// How an answer is compared with the recorded one. A comparison says equal or not, and why not; it does not judge quality.

import { canonicalJson, tryParseJson, unreachable } from '#base';
import type { CanaryPrompt } from '#stamp';

export type Comparison = { readonly equal: true } | { readonly equal: false; readonly why: string };

/**
 * - `exact`: the same characters.
 * - `normalised`: the same after Unicode NFC, case folding, and white space collapsed and trimmed.
 * - `json`: the same canonical JSON (RFC 8785), whatever the order of keys and the white space. A fence of three backticks
 *   around the whole answer is part of its form: with fence and without is a difference, because a program that parses
 *   the answer would notice; fenced on both sides, what is inside is compared.
 */
export function compareAnswers(
  compare: CanaryPrompt['compare'],
  sides: { recorded: string; answered: string },
): Comparison {
  const { recorded, answered } = sides;
  switch (compare) {
    case 'exact':
      return answered === recorded
        ? { equal: true }
        : { equal: false, why: `it ${firstDifference(recorded, answered)}` };
    case 'normalised': {
      const [left, right] = [normalise(recorded), normalise(answered)];
      return left === right
        ? { equal: true }
        : { equal: false, why: `it ${firstDifference(left, right)}, once normalised` };
    }
    case 'json':
      return compareJson(recorded, answered);
    default:
      return unreachable(compare);
  }
}

/** Upper before lower case folds what has no single lower-case form of its own (ß and SS). */
export function normalise(text: string): string {
  return text.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC').replace(/\s+/gu, ' ').trim();
}

function compareJson(recorded: string, answered: string): Comparison {
  const [left, right] = [unfence(recorded), unfence(answered)];
  if (left.fenced !== right.fenced) {
    return {
      equal: false,
      why: right.fenced ? 'it is fenced, the recorded one is not' : 'the recorded one is fenced, it is not',
    };
  }
  const [leftValue, rightValue] = [tryParseJson(left.text), tryParseJson(right.text)];
  if (!leftValue.ok) return { equal: false, why: 'the recorded one is not JSON: record the baseline again' };
  if (!rightValue.ok) return { equal: false, why: 'it is not JSON' };
  const [leftJson, rightJson] = [canonicalJson(leftValue.value), canonicalJson(rightValue.value)];
  return leftJson === rightJson
    ? { equal: true }
    : { equal: false, why: `it ${firstDifference(leftJson, rightJson)}, as canonical JSON` };
}

function unfence(text: string): { fenced: boolean; text: string } {
  const inside = /^\s*```[a-z]*\s*\n([\s\S]*?)\n?```\s*$/i.exec(text)?.[1];
  return inside === undefined ? { fenced: false, text } : { fenced: true, text: inside };
}

/** Where two texts part, without quoting more of an answer than a person needs. */
function firstDifference(recorded: string, answered: string): string {
  let at = 0;
  while (at < recorded.length && recorded[at] === answered[at]) at++;
  const excerpt = (text: string): string => (at >= text.length ? 'its end' : JSON.stringify(text.slice(at, at + 24)));
  return `differs from character ${at + 1}: recorded ${excerpt(recorded)}, answered ${excerpt(answered)}`;
}
