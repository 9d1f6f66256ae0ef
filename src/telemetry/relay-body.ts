// Reads a request body within a byte bound and a deadline.

import type { IncomingMessage } from 'node:http';
import type { Clock } from '#base';

export function readBodyWithin(
  request: IncomingMessage,
  options: { readonly clock: Clock; readonly bytesMax: number; readonly timeoutMs: number },
): Promise<Buffer | 'too-large' | 'too-slow' | 'cut'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const cancel = options.clock.after(options.timeoutMs, () => done('too-slow'));
    const done = (result: Buffer | 'too-large' | 'too-slow' | 'cut'): void => {
      cancel();
      request.off('data', onData).off('end', onEnd).off('close', onCut).off('error', onCut);
      // An error that comes after this must not be unhandled; what is still coming is thrown away.
      request.on('error', () => {});
      if (typeof result === 'string') request.resume();
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > options.bytesMax) done('too-large');
      else chunks.push(chunk);
    };
    const onEnd = (): void => done(Buffer.concat(chunks));
    const onCut = (): void => done('cut');
    request.on('data', onData).on('end', onEnd).on('close', onCut).on('error', onCut);
  });
}
