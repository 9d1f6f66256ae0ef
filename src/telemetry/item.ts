// What is shipped: an item is one exchange or one relayed export, named by the sequence of its first journal record. It
// holds spans as ready JSON text, grouped by the resource and scope they share, so that a batch is joined, not rebuilt.

export interface SpanKey {
  readonly traceId: string;
  readonly spanId: string;
  /** Start time as Langfuse stores it: milliseconds since the epoch. */
  readonly startMs: number;
}

export interface ShippableSpan extends SpanKey {
  /** The OTLP/JSON span. */
  readonly json: string;
}

export interface SpanGroup {
  /** One element of `resourceSpans` is prefix + spans joined by commas + suffix. */
  readonly prefix: string;
  readonly suffix: string;
  readonly spans: readonly ShippableSpan[];
}

/** What is known of an item without its content. */
export interface ItemOutline {
  /** Sequence of the `open` or `otlp` record. */
  readonly sequence: number;
  /** When the exchange began, or the export was received. */
  readonly atMs: number;
  readonly spans: readonly SpanKey[];
}

export interface Item extends ItemOutline {
  readonly groups: readonly SpanGroup[];
  readonly bytes: number;
}

/** One span with what it needs to stand alone: the unit that is batched, bisected and quarantined. */
export interface SpanUnit {
  readonly sequence: number;
  readonly prefix: string;
  readonly suffix: string;
  readonly span: ShippableSpan;
}

export function spanId(key: { readonly traceId: string; readonly spanId: string }): string {
  return `${key.traceId}/${key.spanId}`;
}

export function itemOf(sequence: number, atMs: number, groups: readonly SpanGroup[]): Item {
  let bytes = 0;
  const spans: SpanKey[] = [];
  for (const group of groups) {
    bytes += group.prefix.length + group.suffix.length;
    for (const span of group.spans) {
      bytes += span.json.length;
      spans.push({ traceId: span.traceId, spanId: span.spanId, startMs: span.startMs });
    }
  }
  return { sequence, atMs, groups, spans, bytes };
}

export function unitsOf(item: Item): SpanUnit[] {
  return item.groups.flatMap((group) =>
    group.spans.map((span) => ({ sequence: item.sequence, prefix: group.prefix, suffix: group.suffix, span })),
  );
}

/** The OTLP/JSON export of some units; neighbours that share resource and scope share one element. */
export function encodeExport(units: readonly SpanUnit[]): string {
  const elements: string[] = [];
  let index = 0;
  while (index < units.length) {
    const first = units[index] as SpanUnit;
    const spans: string[] = [];
    for (; index < units.length; index++) {
      const unit = units[index] as SpanUnit;
      if (unit.prefix !== first.prefix || unit.suffix !== first.suffix) break;
      spans.push(unit.span.json);
    }
    elements.push(`${first.prefix}${spans.join(',')}${first.suffix}`);
  }
  return `{"resourceSpans":[${elements.join(',')}]}`;
}
