// Small routes with recorded answers that no part of the product depends on: media upload, models, the project's own
// description. They keep official clients content.

import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { systemClock } from '#base';
import type { Caller } from './authentication.ts';
import { checked } from './prompts.ts';

export const serverVersion = '4.16.0';

export function projectsOf({ project }: Caller): unknown {
  return {
    data: [
      {
        id: project.id,
        name: project.name,
        organization: { id: 'org1', name: 'Org One' },
        metadata: {},
      },
    ],
  };
}

const mediaSchema = z.object({
  traceId: z.string(),
  observationId: z.string().nullish(),
  contentType: z.string(),
  contentLength: z.number().int().min(1),
  sha256Hash: z.string(),
  field: z.enum(['input', 'output', 'metadata']),
});

/** Where to upload: this server keeps no media and accepts the bytes at `/media-store/…`. */
export function mediaUpload(body: unknown, at: { baseUrl: string; projectId: string }): unknown {
  const media = checked(mediaSchema, body);
  const mediaId = createHash('sha256').update(media.sha256Hash).digest('base64url').slice(0, 22);
  return { uploadUrl: `${at.baseUrl}/media-store/${at.projectId}/${mediaId}`, mediaId };
}

const modelSchema = z.object({
  modelName: z.string(),
  matchPattern: z.string(),
  startDate: z.string().nullish(),
  unit: z.string().nullish(),
  inputPrice: z.number().nullish(),
  outputPrice: z.number().nullish(),
  totalPrice: z.number().nullish(),
  tokenizerId: z.string().nullish(),
  tokenizerConfig: z.unknown().optional(),
});

export function createModel(body: unknown): unknown {
  const model = checked(modelSchema, body);
  const id = randomUUID();
  const amounts = { input: model.inputPrice, output: model.outputPrice, total: model.totalPrice };
  const known = Object.entries(amounts).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return {
    id,
    createdAt: new Date(systemClock.wallMs()).toISOString(),
    modelName: model.modelName,
    matchPattern: model.matchPattern,
    startDate: model.startDate ?? null,
    tokenizerId: model.tokenizerId ?? null,
    tokenizerConfig: model.tokenizerConfig ?? null,
    unit: model.unit ?? 'TOKENS',
    inputPrice: model.inputPrice ?? null,
    outputPrice: model.outputPrice ?? null,
    totalPrice: model.totalPrice ?? null,
    prices: Object.fromEntries(known.map(([kind, price]) => [kind, { price }])),
    isLangfuseManaged: false,
    pricingTiers: [
      {
        id: `${id}_tier_default`,
        name: 'Standard',
        isDefault: true,
        priority: 0,
        conditions: [],
        prices: Object.fromEntries(known),
      },
    ],
  };
}
