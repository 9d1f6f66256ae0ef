// An upstream as the stamp's schema would give it, for tests.

import type { Upstream } from '#stamp';

export type { Upstream };

export function upstreamWith(parts: Partial<Upstream> & { url: string }): Upstream {
  return {
    id: 'first',
    kind: 'openai-compatible',
    model: 'gpt-4o',
    region: 'swedencentral',
    credential: 'env:MODEL_KEY',
    timeouts: { connect: '2s', firstByte: '30s', idle: '30s' },
    breaker: { failureRate: 0.5, callsMin: 10, window: '10s', openFor: '5s' },
    ...parts,
  };
}
