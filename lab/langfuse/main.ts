// The lab's Langfuse as a process: its options as JSON in the first argument.

import { z } from 'zod';
import { announce, processConfig } from '../kit/mod.ts';
import { startLangfuse } from './mod.ts';

const configSchema = z.strictObject({
  name: z.string(),
  port: z.int().min(0).max(65_535),
  dataFile: z.string(),
  projects: z
    .array(z.strictObject({ id: z.string(), name: z.string(), publicKey: z.string(), secretKey: z.string() }))
    .min(1),
  mode: z.literal('events_only').default('events_only'),
  settleMs: z.int().min(0).default(200),
});

announce(await startLangfuse(configSchema.parse(processConfig())));
