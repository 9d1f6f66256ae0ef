// lab/demo: the whole story without a person (main.ts), and what it shares with the drills: acting as people, waiting for
// conditions, and judging from the simulated vendors' own ledgers.

export * from './judge.ts';
export * from './stage.ts';
export { failback, failover, homeReturns, loseHome, replicate } from './story.ts';
