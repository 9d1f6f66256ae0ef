// Kills an instance of the program at one of its port calls, before or after the call's effect: that call and every later
// one never settle, as if the process were gone. The world keeps what took effect.

export interface Kill {
  /** 1 for the first port call. */
  readonly call: number;
  readonly when: 'before' | 'after';
}

export class KillSwitch {
  readonly names: string[] = [];
  readonly killed: Promise<string>;
  readonly #kill: Kill | undefined;
  #dead = false;
  #report: (name: string) => void = () => undefined;

  constructor(kill?: Kill) {
    this.#kill = kill;
    this.killed = new Promise((resolve) => (this.#report = resolve));
  }

  /** The same object, each of its asynchronous methods a port call that can be the last. */
  port<T extends object>(name: string, target: T, synchronous: readonly (keyof T)[] = []): T {
    return new Proxy(target, {
      get: (object, key) => {
        const member: unknown = Reflect.get(object, key, object);
        if (typeof member !== 'function') return member;
        const call = member.bind(object) as (...sent: unknown[]) => unknown;
        if (synchronous.includes(key as keyof T)) return call;
        return (...sent: unknown[]) => this.#through(`${name}.${String(key)}`, async () => call(...sent));
      },
    });
  }

  async #through<Result>(name: string, effect: () => Promise<Result>): Promise<Result> {
    if (this.#dead) return never();
    this.names.push(name);
    const last = this.names.length === this.#kill?.call;
    if (last && this.#kill.when === 'before') return this.#die(name);
    if (!last) {
      const result = await effect();
      return this.#dead ? never() : result;
    }
    await effect().catch(() => undefined);
    return this.#die(name);
  }

  #die<Result>(name: string): Promise<Result> {
    this.#dead = true;
    this.#report(name);
    return never();
  }
}

function never<Result>(): Promise<Result> {
  return new Promise(() => undefined);
}
