// Reads an older stretch of the journal for one destination: first only which spans it must have, then, for those that
// could not be read back there, the items themselves. Twice reading costs disk time and keeps memory flat.

import type { Journal, JournalRecord } from '#journal';
import { ExchangeFold, type FoldOutput } from './fold.ts';
import type { Item, ItemOutline } from './item.ts';
import type { Range } from './ranges.ts';
import { relayedItem } from './relayed.ts';
import { exchangeItem, exchangeSpanKeys } from './spans.ts';

/** Exchanges known to have no close: sequence of their `open` → sequence of their last record. */
export type Interrupted = Map<number, number>;

export interface CatchUp {
  readonly journal: Journal;
  readonly interrupted: Interrupted;
  readonly signal: AbortSignal;
  readonly stamp?: string;
}

export interface OutlinedItem {
  readonly outline: ItemOutline;
  /** Sequence of the item's last record. */
  readonly finished: number;
}

export interface Stretch {
  readonly items: readonly OutlinedItem[];
  /** The stretch covers the range up to here. */
  readonly through: number;
  /** When its last item began; undefined when it has none. */
  readonly lastAtMs: number | undefined;
}

/** The first items of a range, at most `itemsMax`, leaving out those that `skip` names. */
export async function outlineStretch(
  range: Range,
  options: CatchUp & { readonly itemsMax: number; readonly skip: (sequence: number) => boolean },
): Promise<Stretch> {
  const items: OutlinedItem[] = [];
  const fold = new ExchangeFold({ bytesMax: 0 });
  let through = range.after;
  let lastAtMs: number | undefined;
  let opened = 0;
  for await (const record of options.journal.read({ afterSequence: range.after, signal: options.signal })) {
    const open = through < range.through && opened < options.itemsMax;
    if (!open && fold.size === 0) break;
    if (open) through = Math.min(record.sequence, range.through);
    const begins = record.kind === 'open' || record.kind === 'otlp';
    if (begins && (!open || record.sequence > range.through || options.skip(record.sequence))) continue;
    const output = pushed(fold, withoutBody(record));
    if (begins) opened++;
    const lastSequence = options.interrupted.get(record.sequence);
    const ended =
      record.kind === 'open' && lastSequence !== undefined
        ? fold.end(String(record.meta['exchange']), undefined, lastSequence)
        : output;
    const item = ended && outlined(ended);
    if (!item) continue;
    items.push(item);
    lastAtMs = item.outline.atMs;
  }
  if (opened < options.itemsMax) through = range.through;
  // What is still open here was neither running nor closed: its process is gone.
  for (const { open } of fold.running) {
    const ended = fold.end(open.exchange, undefined, options.journal.durableSequence);
    const item = ended && outlined(ended);
    if (item) items.push(item);
  }
  return { items, through, lastAtMs };
}

/** The items themselves, in the order in which they end. */
export async function* renderItems(
  wanted: readonly OutlinedItem[],
  options: CatchUp & { readonly bytesMax: number },
): AsyncGenerator<Item> {
  if (wanted.length === 0) return;
  const bySequence = new Map(wanted.map((item) => [item.outline.sequence, item]));
  const lastSequence = Math.max(...wanted.map((item) => item.finished));
  const afterSequence = Math.min(...bySequence.keys()) - 1;
  const fold = new ExchangeFold({ bytesMax: wanted.length === 1 ? Infinity : options.bytesMax });
  const alone: OutlinedItem[] = [];
  const rendered = function* (output: FoldOutput | undefined): Generator<Item> {
    if (!output) return;
    const known = output.kind === 'exchange' ? bySequence.get(output.exchange.sequence) : undefined;
    if (output.kind === 'exchange' && output.letGo && known) alone.push(known);
    else yield renderOutput(output, options);
  };
  for await (const record of options.journal.read({ afterSequence, signal: options.signal })) {
    const begins = record.kind === 'open' || record.kind === 'otlp';
    if (!begins || bySequence.has(record.sequence)) yield* rendered(pushed(fold, record));
    if (record.sequence >= lastSequence) break;
  }
  // What has no close by now was interrupted.
  for (const running of fold.running) {
    yield* rendered(fold.end(running.open.exchange, undefined, lastSequence));
  }
  for (const item of alone) yield* renderItems([item], options);
}

export function renderOutput(output: FoldOutput, options: { readonly stamp?: string }): Item {
  if (output.kind === 'relayed') return relayedItem(output.sequence, output.meta, output.body);
  return exchangeItem(output.exchange, options);
}

/** Exchanges that began in the stretch and have no close in it, with their last record. */
export async function findInterrupted(
  journal: Journal,
  stretch: { readonly after: number; readonly through: number },
  signal: AbortSignal,
): Promise<Interrupted> {
  const running = new Map<unknown, { sequence: number; last: number }>();
  if (stretch.after >= stretch.through) return new Map();
  for await (const record of journal.read({ afterSequence: stretch.after, signal })) {
    if (record.sequence > stretch.through) break;
    const id = record.meta['exchange'];
    if (record.kind === 'open') running.set(id, { sequence: record.sequence, last: record.sequence });
    else if (record.kind === 'close') running.delete(id);
    else if (record.kind === 'part') {
      const entry = running.get(id);
      if (entry) entry.last = record.sequence;
    }
  }
  return new Map([...running.values()].map(({ sequence, last }) => [sequence, last]));
}

/** When the item that this record begins began; undefined for records that begin none. */
export function beganAtMs(record: JournalRecord): number | undefined {
  const atMs = record.kind === 'open' ? record.meta['startedAtMs'] : record.meta['receivedAtMs'];
  return (record.kind === 'open' || record.kind === 'otlp') && typeof atMs === 'number' ? atMs : undefined;
}

/** An unreadable record was counted and reported by the live fold or cannot be helped; the rest goes on. */
function pushed(fold: ExchangeFold, record: JournalRecord): FoldOutput | undefined {
  try {
    return fold.push(record, 0);
  } catch {
    return undefined;
  }
}

function withoutBody(record: JournalRecord): JournalRecord {
  return record.kind === 'otlp' ? record : { ...record, body: new Uint8Array() };
}

function outlined(output: FoldOutput): OutlinedItem | undefined {
  if (output.kind === 'exchange') {
    const { sequence, open, close } = output.exchange;
    const outline = { sequence, atMs: open.startedAtMs, spans: exchangeSpanKeys(open, close) };
    return { outline, finished: output.finished };
  }
  try {
    const { sequence, atMs, spans } = relayedItem(output.sequence, output.meta, output.body);
    return { outline: { sequence, atMs, spans }, finished: sequence };
  } catch {
    return undefined;
  }
}
