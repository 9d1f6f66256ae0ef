// Sums with + - * / and parentheses, by recursive descent; anything else is no sum.

/** The value as people write it, or undefined when the text is not an expression or has no finite value. */
export function calculate(text: string): string | undefined {
  const tokens = text.match(/\d+(?:\.\d+)?|[+\-*/()]/g) ?? [];
  if (tokens.join('') !== text.replace(/\s+/g, '')) return undefined;
  const reader = { tokens, at: 0 };
  const value = sum(reader);
  if (value === undefined || reader.at !== tokens.length || !Number.isFinite(value)) return undefined;
  return String(Number(value.toFixed(10)));
}

interface Reader {
  readonly tokens: readonly string[];
  at: number;
}

function sum(reader: Reader): number | undefined {
  let value = product(reader);
  for (;;) {
    const operator = reader.tokens[reader.at];
    if (value === undefined || (operator !== '+' && operator !== '-')) return value;
    reader.at++;
    const right = product(reader);
    if (right === undefined) return undefined;
    value = operator === '+' ? value + right : value - right;
  }
}

function product(reader: Reader): number | undefined {
  let value = factor(reader);
  for (;;) {
    const operator = reader.tokens[reader.at];
    if (value === undefined || (operator !== '*' && operator !== '/')) return value;
    reader.at++;
    const right = factor(reader);
    if (right === undefined) return undefined;
    value = operator === '*' ? value * right : value / right;
  }
}

function factor(reader: Reader): number | undefined {
  const token = reader.tokens[reader.at++];
  if (token === '-') {
    const value = factor(reader);
    return value === undefined ? undefined : -value;
  }
  if (token !== '(') return token === undefined || !/^\d/.test(token) ? undefined : Number(token);
  const value = sum(reader);
  return reader.tokens[reader.at++] === ')' ? value : undefined;
}
