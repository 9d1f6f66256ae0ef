// Any interleaving of records, outages and crashes: every exchange and every relayed span can be read once in each
// Langfuse, with what it said. And at every moment `provenThroughMs` and `provenThroughSequence` claim no more than is true.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import type { TelemetryMeta } from '#journal';
import { answerBytes, closeOf, hex, openOf, requestBytes } from './testing/exchanges.ts';
import { inWorld, type World } from './testing/world.ts';

type Fault = 'down' | 'intakeDown' | 'readsDown' | 'drops';
const healthy: Record<Fault, boolean> = { down: false, intakeDown: false, readsDown: false, drops: false };

type Step =
  | { readonly do: 'open' }
  /** The next piece, or the end, of the running exchange with this number (modulo how many run). */
  | { readonly do: 'part' | 'close'; readonly which: number }
  | { readonly do: 'relay'; readonly spans: number }
  | { readonly do: 'fault'; readonly at: 'home' | 'partner'; readonly kind: Fault | 'none' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'crash'; readonly loseCursors: boolean };

const which = fc.nat(20);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ do: 'open' }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('part' as const, 'close' as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('relay' as const), spans: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      at: fc.constantFrom('home' as const, 'partner' as const),
      kind: fc.constantFrom<Fault | 'none'>('down', 'intakeDown', 'readsDown', 'drops', 'none'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 4_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), loseCursors: fc.boolean() }) },
);

interface Begun {
  readonly key: string;
  readonly atMs: number;
  readonly sequence: number;
}

interface Running {
  readonly id: string;
  offset: number;
}

/** Plays the steps; returns the spans that must be readable, and how much of its answer each exchange journaled. */
async function play(world: World, steps: readonly Step[]): Promise<{ spans: string[]; said: Map<string, string> }> {
  const spans: string[] = [];
  const said = new Map<string, string>();
  const begun: Begun[] = [];
  let running: Running[] = [];
  let made = 0;
  world.telemetry.start();
  await world.ready();
  for (const one of steps) {
    const picked = 'which' in one && running.length > 0 ? running[one.which % running.length] : undefined;
    switch (one.do) {
      case 'open': {
        const id = `n${made++}`;
        const startedAtMs = world.clock.wallMs();
        const open = openOf(id, { startedAtMs });
        const { sequence, durable } = world.journal.append({ kind: 'open', meta: { ...open }, body: requestBytes });
        await durable;
        spans.push(`${open.traceId}/${open.spanId}`);
        running.push({ id, offset: 0 });
        begun.push({ key: `${open.traceId}/${open.spanId}`, atMs: startedAtMs, sequence });
        break;
      }
      case 'part': {
        if (!picked) break;
        const end = Math.min(answerBytes.length, picked.offset + 40);
        const meta = { exchange: openOf(picked.id).exchange, offset: picked.offset };
        await world.journal.append({ kind: 'part', meta, body: answerBytes.subarray(picked.offset, end) }).durable;
        picked.offset = end;
        said.set(openOf(picked.id).spanId, answerBytes.subarray(0, end).toString());
        break;
      }
      case 'close': {
        if (!picked) break;
        const open = openOf(picked.id, { startedAtMs: world.clock.wallMs() });
        const close = closeOf(open);
        await world.journal.append({ kind: 'close', meta: { ...close } }).durable;
        spans.push(...close.attempts.map((attempt) => `${open.traceId}/${attempt.spanId}`));
        running = running.filter((other) => other !== picked);
        break;
      }
      case 'relay':
        spans.push(...(await relay(world, made++, one.spans)));
        break;
      case 'fault':
        Object.assign(world[one.at], healthy);
        if (one.kind !== 'none') world[one.at][one.kind] = true;
        break;
      case 'pass':
        await world.clock.advance(one.ms);
        break;
      case 'crash':
        if (one.loseCursors) await world.loseCursors();
        else await world.restart();
        running = [];
        break;
    }
    assertTruthful(world, begun);
  }
  // Whatever still runs is cut off by a last crash.
  await world.restart();
  return { spans, said };
}

/** What is claimed as proven can be read. */
function assertTruthful(world: World, begun: readonly Begun[]): void {
  for (const langfuse of [world.home, world.partner]) {
    const { provenThroughMs, provenThroughSequence } = world.state(langfuse.id);
    const there = langfuse.copies();
    for (const { key, atMs, sequence } of begun) {
      if (atMs < provenThroughMs || sequence <= provenThroughSequence)
        assert.ok(there.has(key), 'claimed and not there');
    }
  }
}

async function relay(world: World, number: number, count: number): Promise<string[]> {
  const receivedAtMs = world.clock.wallMs();
  const spans = Array.from({ length: count }, (_, index) => ({
    traceId: hex(32, `relayed ${number}`),
    spanId: hex(16, `relayed ${number} ${index}`),
    name: 'app',
    startTimeUnixNano: `${receivedAtMs - index * 90_000}000000`,
    endTimeUnixNano: `${receivedAtMs}000000`,
  }));
  const body = Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
  const meta: TelemetryMeta = { receivedAtMs, contentType: 'application/json', publicKey: 'pk', spans: count };
  await world.journal.append({ kind: 'otlp', meta: { ...meta }, body }).durable;
  return spans.map((span) => `${span.traceId}/${span.spanId}`);
}

it('gives each exchange exactly once, whatever the interleaving', { timeout: 60_000 }, () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) =>
      inWorld(
        async (world) => {
          const { spans, said } = await play(world, steps);
          for (const langfuse of [world.home, world.partner]) {
            Object.assign(langfuse, healthy);
          }
          await world.until(() => world.provenAll('home', 'partner'), 3_600_000);
          for (const langfuse of [world.home, world.partner]) {
            const copies = langfuse.copies();
            assert.deepEqual([...copies.keys()].sort(), spans.toSorted());
            assert.ok([...copies.values()].every((count) => count === 1));
            for (const { id, span } of langfuse.stored.values()) {
              // A prefix of a JSON answer is kept as the text it is.
              const text = said.get(id);
              if (text !== undefined && text.length < answerBytes.length) {
                assert.ok(JSON.stringify(span).includes(JSON.stringify(text).slice(1, -1)));
              } else if (text !== undefined) assert.match(JSON.stringify(span), /Four\./);
            }
          }
          assert.equal(world.telemetry.state().unreadable, 0);
        },
        { waitingItemsMax: 4, catchUpItemsMax: 3, inProofSpansMax: 12, foldBytesMax: 1_500, batchSpansMax: 5 },
      ),
    ),
    { numRuns: 100, seed: 20_261_123 },
  ),
);
