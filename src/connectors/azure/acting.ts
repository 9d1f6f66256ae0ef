// Carries an act's context down to the moment the SDK puts a request on the wire. SDKs await between our call and the
// write (tokens, challenges, signing); the right to act is asked for after the last of these, in the turn of the write.

import { AsyncLocalStorage } from 'node:async_hooks';
import { formatEpoch } from '#base';
import type { ActContext } from '../port.ts';

export class Acting {
  readonly #current = new AsyncLocalStorage<{ context: ActContext; deadlineMs: number }>();

  run<T>(context: ActContext, deadlineMs: number, call: () => Promise<T>): Promise<T> {
    return this.#current.run({ context, deadlineMs }, call);
  }

  /** To be called by the SDK's last policy before the wire; throws `ACT_FENCED` when the right to act is gone. */
  beforeSend(setHeader: (name: string, value: string) => void): void {
    const acting = this.#current.getStore();
    if (!acting) return;
    setHeader('x-understudy-epoch', formatEpoch(acting.context.epoch));
    setHeader('x-understudy-act', acting.context.act);
    acting.context.assertMayAct(acting.deadlineMs);
  }
}
