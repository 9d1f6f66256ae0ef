// A storage account as a process of the lab: starts Azurite below itself and ends with it.

import { z } from 'zod';
import { announce, processConfig } from '../kit/mod.ts';
import { startAzurite } from './azurite.ts';

const config = z.strictObject({
  name: z.string().default('storage'),
  port: z.int().min(0).max(65_535),
  directory: z.string(),
  account: z.string(),
  key: z.string(),
});

const { name, ...options } = config.parse(processConfig());
const azurite = await startAzurite(options);
azurite.process.once('exit', () => process.exit(1));
announce({ name, url: azurite.url, port: azurite.port });
