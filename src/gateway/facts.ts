// What the provider reported in an answer: read while it passes, for the record of the exchange.

import { isRecord } from '#base';

export interface AnswerFacts {
  readonly responseId?: string;
  readonly responseModel?: string;
  readonly systemFingerprint?: string;
  readonly finishReasons?: readonly string[];
  readonly usage?: Readonly<Record<string, number>>;
}

/** Choices of one request are few; what a broken upstream sends beyond this is not kept. */
const choicesMax = 128;
/** A record has a bound; what a provider says of itself is short. */
const textLengthMax = 256;
const usageNumbersMax = 64;

export class FactsReader {
  #id: string | undefined;
  #model: string | undefined;
  #fingerprint: string | undefined;
  #usage: Record<string, number> | undefined;
  readonly #seen = new Set<number>();
  readonly #finish = new Map<number, string>();

  /** Notes a completion, or one chunk of it, and says what the chunk brings. */
  note(value: Record<string, unknown>): { readonly content: boolean; readonly finish: boolean } {
    this.#id ??= text(value['id']);
    this.#model ??= text(value['model']);
    this.#fingerprint ??= text(value['system_fingerprint']);
    if (isRecord(value['usage'])) this.#usage = numbersOf(value['usage']);
    let content = false;
    let finish = false;
    const choices: unknown[] = Array.isArray(value['choices']) ? value['choices'] : [];
    for (const [position, choice] of choices.entries()) {
      if (!isRecord(choice)) continue;
      const index = typeof choice['index'] === 'number' ? choice['index'] : position;
      if (this.#seen.size < choicesMax) this.#seen.add(index);
      if (bringsContent(choice['delta'] ?? choice['message']) || typeof choice['text'] === 'string') content = true;
      const reason = text(choice['finish_reason']);
      if (reason === undefined) continue;
      finish = true;
      if (this.#finish.size < choicesMax) this.#finish.set(index, reason);
    }
    return { content, finish };
  }

  /** Whether every choice that was seen has its finish reason, and at least one was seen. */
  get finished(): boolean {
    return this.#seen.size > 0 && [...this.#seen].every((index) => this.#finish.has(index));
  }

  get anyChoice(): boolean {
    return this.#seen.size > 0;
  }

  facts(): AnswerFacts {
    const reasons = [...this.#finish.entries()].sort(([a], [b]) => a - b).map(([, reason]) => reason);
    return {
      ...(this.#id === undefined ? {} : { responseId: this.#id }),
      ...(this.#model === undefined ? {} : { responseModel: this.#model }),
      ...(this.#fingerprint === undefined ? {} : { systemFingerprint: this.#fingerprint }),
      ...(reasons.length === 0 ? {} : { finishReasons: reasons }),
      ...(this.#usage === undefined ? {} : { usage: this.#usage }),
    };
  }
}

/** Anything in a delta besides its role: text, tool calls, a refusal, audio, reasoning, and what is yet to come. */
function bringsContent(delta: unknown): boolean {
  if (!isRecord(delta)) return false;
  return Object.entries(delta).some(
    ([key, value]) => key !== 'role' && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
  );
}

/** Numbers of a usage object; those one level down get a dotted name (`prompt_tokens_details.cached_tokens`). */
function numbersOf(usage: Record<string, unknown>): Record<string, number> {
  const flat = Object.entries(usage).flatMap(([key, value]) =>
    isRecord(value)
      ? Object.entries(value).map(([inner, part]) => [`${key}.${inner}`, part] as const)
      : [[key, value] as const],
  );
  const numbers = flat.flatMap(([key, value]) =>
    typeof value === 'number' ? [[key.slice(0, textLengthMax), value] as const] : [],
  );
  return Object.fromEntries(numbers.slice(0, usageNumbersMax));
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, textLengthMax) : undefined;
}
