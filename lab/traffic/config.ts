// The configuration of the traffic process.

import { z } from 'zod';

export const trafficConfigSchema = z.strictObject({
  baseUrl: z.url(),
  apiKey: z.string().min(1),
  model: z.string().min(1),
  /** JSON Lines, one `TrafficRow` each; replaced when the process starts. */
  rowsFile: z.string().min(1),
  loops: z.int().min(1).max(1_000).default(20),
  streamShare: z.number().min(0).max(1).default(0.5),
  toolShare: z.number().min(0).max(1).default(0.2),
  requestDeadlineMs: z.int().min(1).default(60_000),
  /** Makes the sequence of requests repeatable; absent: random. */
  seed: z.int().optional(),
});
export type TrafficConfig = z.input<typeof trafficConfigSchema>;
