// How long to wait before asking an upstream again: its own wait headers first, else exponential backoff with full
// jitter. Precedence and formats: openai-node `client.ts`, Azure OpenAI and OpenAI rate-limit headers, RFC 9110 §10.2.3.

export type HeaderValues = Readonly<Record<string, string | readonly string[] | undefined>>;

/** First backoff step; each retry doubles it. */
const backoffBaseMs = 100;
/** Below this an `x-ratelimit-reset` is a number of seconds, above it an epoch (thirty days). */
const resetSecondsMax = 30 * 86_400;

/** Milliseconds an upstream asked us to wait, or undefined when it said nothing usable. Never negative. */
export function waitHintMs(headers: HeaderValues, wallMs: number): number | undefined {
  return (
    milliseconds(headers['retry-after-ms']) ??
    milliseconds(headers['x-ms-retry-after-ms']) ??
    secondsOrDate(headers['retry-after'], wallMs) ??
    smallest(duration(headers['x-ratelimit-reset-requests']), duration(headers['x-ratelimit-reset-tokens'])) ??
    resetAt(headers['x-ratelimit-reset'], wallMs)
  );
}

export interface RetryDelayInput {
  /** 0 before the first retry. */
  readonly retry: number;
  readonly hintMs: number | undefined;
  /** A hint above this means climbing; backoff never waits longer. */
  readonly waitMaxMs: number;
  readonly remainingMs: number;
  /** Uniform in [0, 1). */
  readonly fraction: number;
}

/** Milliseconds to wait before a retry in place, or undefined when climbing is better than waiting that long. */
export function retryDelayMs(input: RetryDelayInput): number | undefined {
  if (input.hintMs !== undefined) {
    if (input.hintMs > input.waitMaxMs || input.hintMs >= input.remainingMs) return undefined;
    // Never earlier than asked; a tenth more spreads the herd that was told the same.
    return Math.min(input.hintMs * (1 + 0.1 * input.fraction), input.remainingMs);
  }
  const backoffMs = input.fraction * Math.min(input.waitMaxMs, backoffBaseMs * 2 ** input.retry);
  return backoffMs < input.remainingMs ? backoffMs : undefined;
}

function single(value: string | readonly string[] | undefined): string | undefined {
  const text = typeof value === 'string' ? value : value?.[0];
  return text?.trim() === '' ? undefined : text?.trim();
}

function milliseconds(value: string | readonly string[] | undefined): number | undefined {
  return notNegative(Number(single(value) ?? Number.NaN));
}

function secondsOrDate(value: string | readonly string[] | undefined, wallMs: number): number | undefined {
  const text = single(value);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return notNegative(seconds * 1_000);
  const dateMs = Date.parse(text);
  // A date that has passed means now, not never.
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - wallMs);
}

/** `120ms`, `1s`, `6m0s`, `1h2m3.5s`: Go's duration format, which OpenAI uses. */
function duration(value: string | readonly string[] | undefined): number | undefined {
  const text = single(value);
  if (text === undefined || !/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  }
  return total;
}

function resetAt(value: string | readonly string[] | undefined, wallMs: number): number | undefined {
  const number = notNegative(Number(single(value) ?? Number.NaN));
  if (number === undefined) return undefined;
  if (number < resetSecondsMax) return number * 1_000;
  const epochMs = number > 1e11 ? number : number * 1_000;
  return Math.max(0, epochMs - wallMs);
}

function notNegative(value: number): number | undefined {
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

function smallest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.min(a, b);
}
