// Credentials for upstreams, by reference: read when first needed, kept in memory, read again when an upstream refuses
// one. The last good value stays in use while its source is down.

import { describeError, Failure, type Clock } from '#base';
import { startDeadline } from '#resilience';
import type { SecretReader } from '#stamp';
import type { GatewayOptions } from './port.ts';

const readTimeoutMs = 5_000;
/** A source is asked at most this often per reference: a storm of 401s must not become a storm on the vault. */
const readEveryMs = 5_000;

interface Entry {
  value: string | undefined;
  failure: Failure | undefined;
  readAtMs: number;
  reading: Promise<void> | undefined;
}

export class Credentials {
  readonly #secrets: SecretReader;
  readonly #clock: Clock;
  readonly #log: GatewayOptions['log'];
  readonly #entries = new Map<string, Entry>();

  constructor(options: Pick<GatewayOptions, 'secrets' | 'clock' | 'log'>) {
    this.#secrets = options.secrets;
    this.#clock = options.clock;
    this.#log = (line) => options.log(line);
  }

  /** The value at hand, or a read of it. Rejects with `SECRET_UNREADABLE`. */
  async get(reference: string): Promise<string> {
    const entry = this.#entry(reference);
    if (entry.value !== undefined) return entry.value;
    if (entry.failure === undefined || this.#due(entry)) await this.#read(reference, entry);
    if (entry.value === undefined)
      throw entry.failure ?? new Failure('SECRET_UNREADABLE', `${reference} cannot be read`);
    return entry.value;
  }

  /** After `refused` was not accepted: another value than that, or undefined when there is none. */
  async refresh(reference: string, refused: string): Promise<string | undefined> {
    const entry = this.#entry(reference);
    if (entry.value === refused && (entry.reading !== undefined || this.#due(entry)))
      await this.#read(reference, entry);
    return entry.value === refused ? undefined : entry.value;
  }

  #entry(reference: string): Entry {
    const known = this.#entries.get(reference);
    if (known) return known;
    const entry: Entry = {
      value: undefined,
      failure: undefined,
      readAtMs: Number.NEGATIVE_INFINITY,
      reading: undefined,
    };
    this.#entries.set(reference, entry);
    return entry;
  }

  #due(entry: Entry): boolean {
    return this.#clock.monotonicMs() - entry.readAtMs >= readEveryMs;
  }

  #read(reference: string, entry: Entry): Promise<void> {
    entry.reading ??= this.#readOnce(reference, entry).finally(() => {
      entry.reading = undefined;
    });
    return entry.reading;
  }

  async #readOnce(reference: string, entry: Entry): Promise<void> {
    const first = entry.value === undefined && entry.failure === undefined;
    const deadline = startDeadline(this.#clock, readTimeoutMs);
    const late = new Promise<never>((_, reject) => {
      deadline.signal.addEventListener('abort', () => reject(deadline.signal.reason as Error), { once: true });
    });
    try {
      entry.value = await Promise.race([this.#secrets.read(reference, deadline.signal), late]);
      entry.failure = undefined;
    } catch (error) {
      entry.failure = new Failure('SECRET_UNREADABLE', `secret ${reference} cannot be read`, { cause: error });
      this.#log({ level: 'error', code: 'credential-unreadable', message: describeError(entry.failure), reference });
    } finally {
      deadline.release();
      // The first read does not hold back a second: the value may have been rotated since.
      entry.readAtMs = first && entry.value !== undefined ? Number.NEGATIVE_INFINITY : this.#clock.monotonicMs();
    }
  }
}
