// The process of one simulated model endpoint. Its configuration is the JSON text of the first argument.

import { z } from 'zod';
import { announce, processConfig } from '../kit/mod.ts';
import type { ModelOptions } from './exchange.ts';
import { startModel } from './model.ts';

const configSchema = z.strictObject({
  name: z.string().min(1),
  port: z.int().min(0).max(65_535),
  dataFile: z.string().min(1),
  apiKeys: z.record(z.string(), z.string()),
  models: z.array(z.string().min(1)).min(1),
  region: z.string().min(1),
  firstByteMs: z.int().min(0).optional(),
  tokenIntervalMs: z.int().min(0).optional(),
  contextTokensMax: z.int().min(1).optional(),
  manner: z.enum(['terse', 'chatty']).optional(),
});

const parsed = configSchema.safeParse(processConfig());
if (!parsed.success) {
  process.stderr.write(`${z.prettifyError(parsed.error)}\n`);
  process.exit(2);
}
const defined = Object.fromEntries(Object.entries(parsed.data).filter(([, value]) => value !== undefined));
announce(await startModel(defined as unknown as ModelOptions));
