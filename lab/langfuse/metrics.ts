// GET /api/public/v2/metrics, the part the lab needs: how many observations, by the dimensions of the listing.

import { z } from 'zod';
import { systemClock, tryParseJson } from '#base';
import { invalidData, invalidRequest } from './reply.ts';
import type { SpanStore, StoredRow } from './span-store.ts';

const dimensions = ['environment', 'type', 'name', 'level', 'version'] as const;

const querySchema = z.object({
  view: z.literal('observations'),
  dimensions: z.array(z.object({ field: z.enum(dimensions) })).default([]),
  metrics: z.array(z.object({ measure: z.literal('count'), aggregation: z.literal('count') })).min(1),
  filters: z.array(z.unknown()).max(0).default([]),
  timeDimension: z.null().optional(),
  fromTimestamp: z.iso.datetime({ offset: true }),
  toTimestamp: z.iso.datetime({ offset: true }),
});

export function queryMetrics(url: URL, from: { projectId: string; store: SpanStore }): unknown {
  const json = tryParseJson(url.searchParams.get('query') ?? '');
  if (!json.ok) throw invalidRequest('Invalid JSON in query parameter');
  const parsed = querySchema.safeParse(json.value);
  if (!parsed.success) throw invalidData(parsed.error);
  const rows = from.store.find({
    project: from.projectId,
    nowMs: systemClock.wallMs(),
    limit: 1_000_000,
    fromUs: Date.parse(parsed.data.fromTimestamp) * 1_000,
    toUs: Date.parse(parsed.data.toTimestamp) * 1_000,
    equals: {},
  });
  return { data: count(rows, parsed.data.dimensions) };
}

function count(rows: readonly StoredRow[], by: readonly { field: (typeof dimensions)[number] }[]): unknown[] {
  const groups = new Map<string, Record<string, unknown> & { count_count: number }>();
  for (const row of rows) {
    const values = Object.fromEntries(by.map(({ field }) => [field, row[field]]));
    const key = JSON.stringify(values);
    const group = groups.get(key) ?? { ...values, count_count: 0 };
    group.count_count++;
    groups.set(key, group);
  }
  if (groups.size === 0 && by.length === 0) return [{ count_count: 0 }];
  return [...groups.values()];
}
