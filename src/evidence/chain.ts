// The chain: JSON Lines, each line exactly its RFC 8785 bytes, each carrying the SHA-256 of the line before it.

import { canonicalJson, sha256 } from '#base';

/** What stands before the first line. */
export const chainStart = '0'.repeat(64);

export interface ChainLine {
  /** 1 for the first line. */
  readonly line: number;
  /** `header`, `event`, `summary`, `seal`, `fact`. */
  readonly type: string;
  /** SHA-256 of the previous line's bytes without its newline. */
  readonly previous: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export class ChainWriter {
  #lines: string[] = [];
  #head = chainStart;

  add(type: string, body: Readonly<Record<string, unknown>>): void {
    const text = canonicalJson({ line: this.#lines.length + 1, type, previous: this.#head, body });
    this.#lines.push(text);
    this.#head = sha256(text);
  }

  get head(): string {
    return this.#head;
  }

  get count(): number {
    return this.#lines.length;
  }

  text(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }
}
