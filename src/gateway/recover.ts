// After a crash: exchanges that have an `open` and no `close` get one that says so, and with it a trace. Run once at
// start, before the gateway answers: then everything that is open was interrupted.

import { createHash, type Hash } from 'node:crypto';
import type { ExchangeClose, Journal, JournalRecord } from '#journal';

/** More open exchanges than any gateway has at once; what is beyond is left for the next start. */
const openMax = 100_000;

interface OpenExchange {
  readonly startedAtMs: number;
  answerBytes: number;
  readonly hash: Hash;
}

export interface Recovery {
  readonly interrupted: number;
  /** Open exchanges that did not fit into memory and are still open. */
  readonly left: number;
}

/** Writes the missing `close` records; doing it again finds nothing more to do. Rejects with the journal's codes. */
export async function recoverInterrupted(journal: Journal, signal?: AbortSignal): Promise<Recovery> {
  const { open, left } = await findOpen(journal, signal);
  for (const [exchange, found] of open) {
    signal?.throwIfAborted();
    const close: ExchangeClose = {
      exchange,
      // When it was cut is unknown; the start is the bound that is certain, and the same at every recovery.
      endedAtMs: found.startedAtMs,
      outcome: 'interrupted',
      status: 0,
      rung: '',
      upstream: '',
      attempts: [],
      answerBytes: found.answerBytes,
      answerSha256: found.hash.digest('hex'),
      error: 'interrupted',
    };
    // One at a time: a start is no reason to fill the journal's queue.
    await journal.append({ kind: 'close', meta: { ...close } }).durable;
  }
  return { interrupted: open.size, left };
}

async function findOpen(
  journal: Journal,
  signal: AbortSignal | undefined,
): Promise<{ open: Map<string, OpenExchange>; left: number }> {
  const open = new Map<string, OpenExchange>();
  let left = 0;
  const through = journal.durableSequence;
  for await (const record of journal.read({ afterSequence: 0, ...(signal ? { signal } : {}) })) {
    if (record.sequence > through) break;
    const exchange = record.meta['exchange'];
    if (typeof exchange !== 'string') continue;
    if (record.kind === 'open' && open.size >= openMax) left++;
    else follow(open, exchange, record);
  }
  return { open, left };
}

function follow(open: Map<string, OpenExchange>, exchange: string, record: JournalRecord): void {
  if (record.kind === 'open') {
    const startedAtMs = record.meta['startedAtMs'];
    open.set(exchange, {
      startedAtMs: typeof startedAtMs === 'number' ? startedAtMs : 0,
      answerBytes: 0,
      hash: createHash('sha256'),
    });
  } else if (record.kind === 'part') {
    const found = open.get(exchange);
    if (!found) return;
    found.answerBytes += record.body.length;
    found.hash.update(record.body);
  } else if (record.kind === 'close') {
    open.delete(exchange);
  }
}
