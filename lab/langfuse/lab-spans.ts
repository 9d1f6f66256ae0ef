// The lab's own look at the store, `GET /_lab/spans`: per trace and span, how often it can be read and how often it was
// delivered. The truth about lost and doubled telemetry, independent of what the product counts.

import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { systemClock } from '#base';
import type { ObservationDetail } from './span-mapping.ts';

export interface LabSpan {
  readonly projectId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly startTimeMs: number;
  readonly environment: string;
  /** Rows a reader sees; more than one is a duplicate. */
  readonly readableRows: number;
  /** Deliveries, replays included. */
  readonly rawRows: number;
  /** When the first row was stored. */
  readonly storedAtMs: number;
  /** Its metadata of that key, when it carries one. */
  readonly outcome: string | null;
  readonly exchange: string | null;
}

export interface LabSpansPage {
  readonly spans: readonly LabSpan[];
  /** Pass as `after` for the next page; null on the last one. */
  readonly next: number | null;
}

const pageQuery = z.object({
  from: z.coerce.number().default(0),
  to: z.coerce.number().default(8_640_000_000_000),
  after: z.coerce.number().int().default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(5_000),
});

interface Group {
  readonly cursor: number;
  readonly projectId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly startUs: number;
  readonly environment: string;
  readonly readableRows: number;
  readonly rawRows: number;
  readonly storedAtMs: number;
  readonly detail: string;
}

/** `from` and `to` are span start times, ms; pages follow the order of first arrival. */
export function labSpans(url: URL, database: DatabaseSync): LabSpansPage {
  const query = pageQuery.parse(Object.fromEntries(url.searchParams));
  // SQLite gives the other columns of the row that holds the minimum: the first one stored.
  const groups = database
    .prepare(
      `SELECT MIN(rowNumber) AS cursor, project AS projectId, traceId, spanId, parentSpanId, name, startUs, environment,
         SUM(visibleAtMs <= ?) AS readableRows, SUM(rawRows) AS rawRows, storedAtMs, detail
       FROM observations WHERE startUs >= ? AND startUs < ?
       GROUP BY project, traceId, spanId HAVING cursor > ? ORDER BY cursor LIMIT ?`,
    )
    .all(systemClock.wallMs(), query.from * 1_000, query.to * 1_000, query.after, query.limit) as unknown as Group[];
  return {
    spans: groups.map(spanOf),
    next: groups.length === query.limit ? (groups.at(-1)?.cursor ?? null) : null,
  };
}

function spanOf(group: Group): LabSpan {
  const { metadata } = JSON.parse(group.detail) as ObservationDetail;
  const { projectId, traceId, spanId, parentSpanId, name, environment, readableRows, rawRows, storedAtMs } = group;
  return {
    projectId,
    traceId,
    spanId,
    parentSpanId,
    name,
    environment,
    readableRows,
    rawRows,
    storedAtMs,
    startTimeMs: group.startUs / 1_000,
    outcome: metadata['outcome'] ?? null,
    exchange: metadata['exchange'] ?? null,
  };
}

/** Every span the vendor at `url` holds, page by page. */
export async function readLabSpans(
  url: string,
  window: { fromMs?: number; toMs?: number; signal?: AbortSignal } = {},
): Promise<LabSpan[]> {
  const spans: LabSpan[] = [];
  let after = 0;
  for (;;) {
    const query = new URLSearchParams({ after: String(after) });
    if (window.fromMs !== undefined) query.set('from', String(window.fromMs));
    if (window.toMs !== undefined) query.set('to', String(window.toMs));
    const response = await fetch(
      `${url}/_lab/spans?${query.toString()}`,
      window.signal ? { signal: window.signal } : {},
    );
    if (!response.ok) throw new Error(`the lab's Langfuse answered ${response.status} to /_lab/spans`);
    const page = (await response.json()) as LabSpansPage;
    spans.push(...page.spans);
    if (page.next === null) return spans;
    after = page.next;
  }
}
