import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { exchangeSpanKeys } from './spans.ts';
import { baseMs, closeOf, journalExchange, openOf } from './testing/exchanges.ts';
import type { FakeLangfuse } from './testing/fake-langfuse.ts';
import { inWorld, type World } from './testing/world.ts';

/** Every exchange stands there with all its spans, each once. */
function assertOnce(langfuse: FakeLangfuse, ids: readonly string[]): void {
  const expected = ids.flatMap((id) =>
    exchangeSpanKeys(openOf(id), closeOf(openOf(id))).map((key) => `${key.traceId}/${key.spanId}`),
  );
  const copies = langfuse.copies();
  assert.deepEqual([...copies.keys()].sort(), [...expected].sort());
  assert.deepEqual(new Set(copies.values()), new Set([1]));
}

const named = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

async function journalAll(world: World, ids: readonly string[]): Promise<void> {
  for (const id of ids) await journalExchange(world.journal, id);
}

describe('shipping and proof', () => {
  it('ships each exchange to both Langfuses and believes only what it reads back', () =>
    inWorld(async (world) => {
      world.home.settleMs = 2_000;
      world.telemetry.start();
      await journalAll(world, named('x', 30));
      await world.until(() => world.provenAll('partner'));
      assert.equal(world.state('home').sentThroughSequence, world.journal.durableSequence);
      assert.ok(world.state('home').provenThroughSequence < world.journal.durableSequence);
      assert.ok(world.state('home').provenThroughMs <= baseMs);
      assert.ok(world.state('home').oldestUnprovenAgeSeconds > 0);
      await world.until(() => world.provenAll('home'));
      for (const langfuse of [world.home, world.partner]) assertOnce(langfuse, named('x', 30));
      assert.ok([...world.home.stored.values()].every(({ times }) => times === 1));
    }));

  it('has no lag when idle', () =>
    inWorld(async (world) => {
      world.telemetry.start();
      await journalAll(world, ['x']);
      await world.until(() => world.provenAll('home', 'partner'));
      await world.clock.advance(60_000);
      const state = world.state('home');
      const { mode, sentLagSeconds, provenLagSeconds, oldestUnprovenAgeSeconds, recordsWaiting, bytesWaiting } = state;
      assert.deepEqual(
        { mode, sentLagSeconds, provenLagSeconds, oldestUnprovenAgeSeconds, recordsWaiting, bytesWaiting },
        {
          mode: 'ok',
          sentLagSeconds: 0,
          provenLagSeconds: 0,
          oldestUnprovenAgeSeconds: 0,
          recordsWaiting: 0,
          bytesWaiting: 0,
        },
      );
      assert.ok(world.clock.wallMs() - state.provenThroughMs <= 2_000);
    }));

  it('counts a running exchange as unproven, not as waiting', () =>
    inWorld(async (world) => {
      world.telemetry.start();
      await journalExchange(world.journal, 'running', { noClose: true });
      await journalAll(world, ['x']);
      await world.until(() => world.partner.stored.size === 2);
      await world.clock.advance(5_000);
      const state = world.state('partner');
      assert.equal(state.provenThroughSequence, 0);
      assert.ok(state.provenThroughMs <= baseMs);
      assert.ok(state.provenLagSeconds >= 5);
      assert.equal(state.oldestUnprovenAgeSeconds, 0);
      await world.journal.append({ kind: 'close', meta: { ...closeOf(openOf('running')) } }).durable;
      await world.until(() => world.provenAll('home', 'partner'));
      assertOnce(world.partner, ['running', 'x']);
    }));

  it('a destination that is down never delays the other, and catches up without starving fresh data', () =>
    inWorld(
      async (world) => {
        world.home.down = true;
        world.telemetry.start();
        await journalAll(world, named('old', 60));
        await world.until(() => world.provenAll('partner'));
        await world.until(() => world.state('home').mode === 'down');
        assert.equal(world.state('home').lastError?.code, 'LANGFUSE_UNREACHABLE');
        assert.equal(world.state('partner').mode, 'ok');
        world.home.down = false;
        world.home.exports = [];
        await world.until(() => world.home.exports.length > 0);
        await journalAll(world, ['fresh']);
        await world.until(() => world.home.copies().has(`${openOf('fresh').traceId}/${openOf('fresh').spanId}`), 2_000);
        await world.until(() => world.provenAll('home'));
        assertOnce(world.home, [...named('old', 60), 'fresh']);
        assert.equal(world.state('home').mode, 'ok');
      },
      { waitingItemsMax: 10, catchUpItemsMax: 7 },
    ));

  it('a Langfuse that answers 200 and stores nothing leaves the proof behind and shows it', () =>
    inWorld(async (world) => {
      world.partner.drops = true;
      world.telemetry.start();
      await journalAll(world, ['x', 'y']);
      await world.until(() => world.state('partner').resent > 0);
      const state = world.state('partner');
      assert.equal(state.mode, 'behind');
      assert.equal(state.lastError?.code, 'LANGFUSE_NOT_READABLE');
      assert.equal(state.provenThroughSequence, 0);
      assert.equal(world.state('home').mode, 'ok');
      world.partner.drops = false;
      await world.until(() => world.provenAll('partner'));
      assertOnce(world.partner, ['x', 'y']);
    }));

  it('quarantines the one span that is refused, with the reason, and delivers the rest', () =>
    inWorld(async (world) => {
      const bad = openOf('x5');
      world.home.refuses = (span) => span['spanId'] === bad.spanId;
      world.telemetry.start();
      await journalAll(world, named('x', 9));
      await world.until(() => world.provenAll('home', 'partner'));
      assert.equal(world.state('home').quarantined, 1);
      assert.equal(world.state('partner').quarantined, 0);
      assert.equal(world.home.stored.size, 17);
      const file = join(world.directory, 'quarantine-home.jsonl');
      const entry = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
      assert.equal(entry['traceId'], bad.traceId);
      assert.match(String(entry['reason']), /cannot be processed/);
      assert.match(String(entry['export']), /resourceSpans/);
      world.home.exports = [];
      await world.restart();
      await world.until(() => world.provenAll('home', 'partner'));
      assert.equal(world.state('home').quarantined, 1, 'known after a restart');
      assert.equal(world.home.exports.length, 0, 'and not tried again');
      assert.equal(await world.telemetry.releaseQuarantine('home', { person: 'ada', reason: 'seen' }), 1);
      assert.equal(world.state('home').quarantined, 0);
    }));

  it('condemns nothing when the server refuses everything', () =>
    inWorld(async (world) => {
      world.home.refusesAll = true;
      world.telemetry.start();
      await journalAll(world, ['x']);
      await world.until(() => world.state('home').mode === 'down');
      assert.equal(world.state('home').lastError?.code, 'LANGFUSE_REFUSES_ALL');
      assert.equal(world.state('home').quarantined, 0);
      world.home.refusesAll = false;
      await world.until(() => world.provenAll('home'));
      assertOnce(world.home, ['x']);
    }));

  it('waits as long as the server asks', () =>
    inWorld(async (world) => {
      world.home.busy = { times: 1, retryAfterMs: 7_000 };
      world.telemetry.start();
      await journalAll(world, ['x']);
      await world.until(() => world.home.exports.length === 1);
      const askedMs = world.clock.monotonicMs();
      await world.until(() => world.home.exports.length === 2);
      assert.ok(world.clock.monotonicMs() - askedMs >= 7_000);
      await world.until(() => world.provenAll('home'));
    }));

  it('gives up an export that hangs, and goes on when the server is back', () =>
    inWorld(async (world) => {
      world.home.hangs = true;
      world.telemetry.start();
      await journalAll(world, ['x']);
      await world.until(() => world.state('home').lastError?.code === 'TIMEOUT');
      assert.ok(world.provenAll('partner'));
      world.home.hangs = false;
      await world.until(() => world.provenAll('home'));
      assertOnce(world.home, ['x']);
    }));

  it('sends on while reads are down, and proves when they are back', () =>
    inWorld(async (world) => {
      world.home.readsDown = true;
      world.telemetry.start();
      await journalAll(world, ['x']);
      await world.until(() => world.state('home').mode === 'down');
      await journalAll(world, ['y']);
      await world.until(() => world.home.stored.size === 4);
      assert.equal(world.state('home').provenThroughSequence, 0);
      world.home.readsDown = false;
      await world.until(() => world.provenAll('home'));
    }));
});

describe('restart', () => {
  it('continues from the cursors: what was proven is not sent again', () =>
    inWorld(async (world) => {
      world.telemetry.start();
      await journalAll(world, named('a', 5));
      await world.until(() => world.provenAll('home', 'partner'));
      await world.telemetry.stop();
      await journalAll(world, named('b', 5));
      world.home.exports = [];
      await world.restart();
      await world.until(() => world.provenAll('home', 'partner'));
      assertOnce(world.home, [...named('a', 5), ...named('b', 5)]);
      assert.ok(!world.home.exports.join('').includes(openOf('a1').traceId));
    }));

  it('without cursors reads back first: nothing is sent twice, nothing is lost', () =>
    inWorld(async (world) => {
      world.telemetry.start();
      await journalAll(world, named('a', 5));
      await world.until(() => world.provenAll('home', 'partner'));
      await world.telemetry.stop();
      await journalAll(world, named('b', 5));
      await rm(join(world.directory, 'cursor-home.json'));
      await rm(join(world.directory, 'cursor-partner.json'));
      await world.restart();
      await world.until(() => world.provenAll('home', 'partner'));
      assertOnce(world.partner, [...named('a', 5), ...named('b', 5)]);
      assert.ok([...world.partner.stored.values()].every(({ times }) => times === 1));
    }));

  it('keeps a stretch to catch up while the intake is down and reads work', () =>
    inWorld(async (world) => {
      await journalAll(world, named('x', 3));
      world.home.intakeDown = true;
      await world.restart();
      await world.until(() => world.state('home').mode === 'down');
      assert.equal(world.state('home').provenThroughSequence, 0);
      world.home.intakeDown = false;
      await world.until(() => world.provenAll('home'));
      assertOnce(world.home, named('x', 3));
    }));

  it('ships an exchange that a crash cut off as interrupted, and one that ended whole', () =>
    inWorld(async (world) => {
      await journalExchange(world.journal, 'cut', { noClose: true });
      await journalExchange(world.journal, 'whole');
      world.telemetry.stop().catch(() => {});
      await world.restart();
      await world.until(() => world.provenAll('home', 'partner'));
      const cut = [...world.home.stored.values()].filter(({ traceId }) => traceId === openOf('cut').traceId);
      assert.equal(cut.length, 1);
      assert.match(JSON.stringify(cut[0]?.span), /"interrupted"/);
      assert.match(JSON.stringify(cut[0]?.span), /Four\./, 'with what it had said');
      assert.equal(world.home.stored.size, 3);
    }));

  it('a torn cursor file counts as a lost one', () =>
    inWorld(async (world) => {
      const { writeFile } = await import('node:fs/promises');
      await journalAll(world, ['x']);
      await writeFile(join(world.directory, 'cursor-home.json'), '{"version":1,"proven');
      await world.restart();
      await world.until(() => world.provenAll('home', 'partner'));
      assertOnce(world.home, ['x']);
    }));
});

describe('bounds', () => {
  it('holds bodies only within its memory: what does not fit is read again from the journal', () =>
    inWorld(
      async (world) => {
        world.telemetry.start();
        const answer = (id: string): Buffer =>
          Buffer.from(JSON.stringify({ choices: [{ index: 0, message: { content: `${id} `.repeat(500) } }] }));
        const ids = named('big', 12);
        for (const id of ids) await journalExchange(world.journal, id, { noClose: true, answer: answer(id) });
        for (const id of ids) await world.journal.append({ kind: 'close', meta: { ...closeOf(openOf(id)) } }).durable;
        await world.until(() => world.provenAll('home', 'partner'));
        assertOnce(world.home, ids);
        const texts = [...world.home.stored.values()].map(({ span }) => JSON.stringify(span)).join('');
        for (const id of ids) assert.ok(texts.includes(`${id} ${id} ${id}`), id);
      },
      { foldBytesMax: 6_000, waitingBytesMax: 20_000, inProofSpansMax: 10 },
    ));

  it('declares an exchange interrupted that never ends', () =>
    inWorld(
      async (world) => {
        world.telemetry.start();
        await journalExchange(world.journal, 'stuck', { noClose: true });
        await world.until(() => world.provenAll('home', 'partner'));
        assert.match(JSON.stringify([...world.home.stored.values()].map(({ span }) => span)), /interrupted/);
        assert.ok(world.log.some(({ code }) => code === 'exchange-never-ended'));
      },
      { openAgeMsMax: 60_000 },
    ));

  it('skips a record nobody can read and says so', () =>
    inWorld(async (world) => {
      world.telemetry.start();
      await world.journal.append({ kind: 'open', meta: { exchange: 7 } }).durable;
      const meta = { receivedAtMs: baseMs, contentType: 'application/json', publicKey: 'pk', spans: 1 };
      await world.journal.append({ kind: 'otlp', meta, body: Buffer.from('{"resourceSpans":') }).durable;
      await journalAll(world, ['x']);
      await world.until(() => world.provenAll('home', 'partner'));
      assert.equal(world.telemetry.state().unreadable, 2);
      await rm(join(world.directory, 'cursor-home.json'), { force: true });
      await world.restart();
      await world.until(() => world.provenAll('home', 'partner'));
      assertOnce(world.home, ['x']);
    }));

  it('frees the journal only of what both have, and keeps the young', () =>
    inWorld(
      async (world) => {
        world.home.down = true;
        world.telemetry.start();
        await journalAll(world, named('x', 3));
        await world.until(() => world.provenAll('partner'));
        await world.clock.advance(100_000);
        assert.equal(world.journal.state().firstSequence, 1, 'home has nothing yet');
        world.home.down = false;
        await world.until(() => world.provenAll('home'));
        await world.until(() => world.journal.records.length === 0);
        await journalAll(world, ['young']);
        await world.until(() => world.provenAll('home', 'partner'));
        await world.clock.advance(5_000);
        assert.equal(world.journal.records.length, 3);
        world.journal.bytesMax = 1_000;
        await world.until(() => world.journal.records.length === 0);
      },
      { journalKeepMs: 60_000, releaseEveryMs: 1_000 },
    ));
});

describe('flush', () => {
  it('resolves when everything is proven at whoever answers', () =>
    inWorld(async (world) => {
      world.home.down = true;
      world.partner.settleMs = 3_000;
      world.telemetry.start();
      await journalAll(world, named('x', 3));
      let done = false;
      const flushed = world.telemetry.flush(new AbortController().signal).then(() => {
        done = true;
      });
      await world.until(() => done);
      await flushed;
      assert.ok(world.provenAll('partner'));
      assert.equal(world.state('home').mode, 'down');
    }));

  it('rejects with the reason of its signal when a destination proves nothing', () =>
    inWorld(async (world) => {
      world.partner.drops = true;
      world.telemetry.start();
      await journalAll(world, ['x']);
      const controller = new AbortController();
      let reason: unknown;
      const flushed = world.telemetry.flush(controller.signal).catch((error: unknown) => {
        reason = error;
      });
      await world.until(() => world.provenAll('home'));
      controller.abort(new Error('enough'));
      await world.until(() => reason !== undefined);
      await flushed;
      assert.equal((reason as Error).message, 'enough');
    }));
});
