// What a prompt request must look like, with the limits and messages of the real server (4.16).

import { z } from 'zod';

const label = z
  .string()
  .min(1)
  .max(36)
  .regex(/^[a-z0-9_\-.]+$/, 'Label must be lowercase alphanumeric with optional underscores, hyphens, or periods');

const name = z
  .string()
  .min(1)
  .regex(/^[^|]*$/, "Prompt name cannot contain '|' character")
  .refine((text) => !['new', 'metrics'].includes(text), {
    error: (issue) => `Prompt name cannot be '${String(issue.input)}'`,
  })
  .refine((text) => !/^\/|\/$|\/\//.test(text), 'Name cannot start or end with a slash or contain empty folders');

const common = {
  name,
  labels: z.array(label).default([]),
  config: z.json().nullable().default({}),
  tags: z.array(z.string()).nullish(),
  commitMessage: z.string().max(500).nullish(),
};

const message = z.union([
  z.object({ type: z.literal('placeholder'), name: z.string().regex(/^[a-zA-Z][a-zA-Z0-9_]*$/) }),
  z.object({ type: z.literal('chatmessage').optional(), role: z.string(), content: z.string() }),
]);

export const createPromptSchema = z.union([
  z.object({ ...common, type: z.literal('text').optional(), prompt: z.string() }),
  z.object({ ...common, type: z.literal('chat'), prompt: z.array(message) }),
]);
export type CreatePrompt = z.infer<typeof createPromptSchema>;

export const patchPromptSchema = z.object({
  newLabels: z.array(label).refine((labels) => !labels.includes('latest'), {
    message: "Label 'latest' is always assigned to the latest prompt version",
  }),
});

export const listPromptsSchema = z.object({
  name: z.string().optional(),
  version: z.coerce.number().int().nullish(),
  label: z.string().optional(),
  tag: z.string().optional(),
  page: z.coerce.number().int().min(1).default(1),
  limit: z.coerce.number().int().min(1).max(100).default(10),
  fromUpdatedAt: z.iso.datetime({ offset: true }).nullish(),
  toUpdatedAt: z.iso.datetime({ offset: true }).nullish(),
});

export const pickPromptSchema = z.object({
  version: z.coerce.number().int().nullish(),
  label: z.string().optional(),
  resolve: z.enum(['true', 'false']).optional(),
});
