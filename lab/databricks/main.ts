// The simulated workspace as a process of the lab: one JSON argument in, one `ready` line out.

import { z } from 'zod';
import { announce, processConfig } from '../kit/mod.ts';
import { startDatabricks } from './server.ts';

const config = z.strictObject({
  name: z.string().min(1),
  host: z.string().optional(),
  port: z.int().min(0).max(65_535),
  dataFile: z.string().min(1),
  tokens: z.record(z.string().min(1), z.string().min(1)),
  workspaceId: z.string().regex(/^\d+$/).optional(),
  runMs: z.int().min(1).optional(),
});

const { host, workspaceId, runMs, ...required } = config.parse(processConfig());
announce(
  await startDatabricks({
    ...required,
    ...(host === undefined ? {} : { host }),
    ...(workspaceId === undefined ? {} : { workspaceId }),
    ...(runMs === undefined ? {} : { runMs }),
  }),
);
