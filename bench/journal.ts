// How many records a second the journal makes durable, and how long an append waits, beside what one fdatasync costs on
// the same disk:  node bench/journal.ts [--directory DIR] [--seconds N]

import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '#base';
import { nodeFileLayer, openJournal } from '#journal';

const { values } = parseArgs({
  options: { directory: { type: 'string', default: tmpdir() }, seconds: { type: 'string', default: '2' } },
});
const seconds = Number(values.seconds);
/** Magic number of tmpfs in statfs(2). */
const tmpfs = 0x01_02_19_94;
if ((await statfs(values.directory)).type === tmpfs) {
  process.stderr.write(`${values.directory} is on tmpfs, where fdatasync does nothing; name a disk with --directory\n`);
  process.exit(1);
}

const folder = await mkdtemp(join(values.directory, 'understudy-bench-'));
try {
  const sync = await measureSync(join(folder, 'sync'));
  print('fdatasync of 4 KiB appended', sync);
  for (const bodyBytes of [1_024, 20_480]) {
    for (const writers of [1, 64]) {
      const { appends, waits, elapsedMs } = await measureAppends(join(folder, `${bodyBytes}-${writers}`), {
        bodyBytes,
        writers,
      });
      const perSecond = Math.round((appends / elapsedMs) * 1_000);
      print(`${bodyBytes} B bodies, ${writers} writers: ${perSecond} appends/s, wait`, waits);
    }
  }
  await measureRecovery(join(folder, '20480-64'));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measureSync(path: string): Promise<number[]> {
  const file = await open(path, 'w');
  const block = Buffer.alloc(4_096);
  const took: number[] = [];
  for (let at = 0; at < 300; at++) {
    await file.write(block, 0, block.length, at * block.length);
    const startedAt = systemClock.monotonicMs();
    await file.datasync();
    took.push(systemClock.monotonicMs() - startedAt);
  }
  await file.close();
  return took;
}

async function measureAppends(
  directory: string,
  options: { bodyBytes: number; writers: number },
): Promise<{ appends: number; waits: number[]; elapsedMs: number }> {
  const journal = await openJournal({ directory, files: nodeFileLayer(), clock: systemClock, bytesMax: 2 ** 33 });
  const body = Buffer.alloc(options.bodyBytes, 'bench');
  const waits: number[] = [];
  const startedAt = systemClock.monotonicMs();
  const write = async (): Promise<void> => {
    while (systemClock.monotonicMs() - startedAt < seconds * 1_000) {
      const beganAt = systemClock.monotonicMs();
      await journal.append({ kind: 'otlp', meta: { exchange: 'xc_bench', tenant: 'bench' }, body }).durable;
      waits.push(systemClock.monotonicMs() - beganAt);
    }
  };
  await Promise.all(Array.from({ length: options.writers }, write));
  const elapsedMs = systemClock.monotonicMs() - startedAt;
  await journal.close();
  return { appends: waits.length, waits, elapsedMs };
}

async function measureRecovery(directory: string): Promise<void> {
  const startedAt = systemClock.monotonicMs();
  const journal = await openJournal({ directory, files: nodeFileLayer(), clock: systemClock, bytesMax: 2 ** 33 });
  const tookMs = systemClock.monotonicMs() - startedAt;
  const { bytes } = journal.state();
  await journal.close();
  const perGibibyte = (tookMs / (bytes / 2 ** 30)).toFixed(0);
  process.stdout.write(
    `opening ${(bytes / 2 ** 20).toFixed(0)} MiB: ${tookMs.toFixed(0)} ms (${perGibibyte} ms/GiB)\n`,
  );
}

function print(what: string, samplesMs: number[]): void {
  const sorted = samplesMs.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(2);
  process.stdout.write(`${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`);
}
