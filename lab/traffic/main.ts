// The traffic as a process of its own, so that the demo's event loop does not disturb it. Configuration: the JSON text of
// the first argument. Rows go to a file as JSON Lines. Commands come as IPC messages `{"command":"summary"|"stop"}` or as
// lines `summary` and `stop` on stdin; each is answered with a summary over the same way.

import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { isRecord, seededRandomness, systemRandomness } from '#base';
import { announce, processConfig } from '../kit/mod.ts';
import { trafficConfigSchema } from './config.ts';
import { startTraffic } from './traffic.ts';

async function main(): Promise<void> {
  const parsed = trafficConfigSchema.safeParse(processConfig());
  if (!parsed.success) {
    process.stderr.write(`${z.prettifyError(parsed.error)}\n`);
    process.exit(2);
  }
  const { rowsFile, seed, ...options } = parsed.data;
  const rows = createWriteStream(rowsFile);
  rows.on('error', (error) => {
    process.stderr.write(`traffic: ${rowsFile} cannot be written: ${error.message}\n`);
    process.exit(1);
  });
  const traffic = startTraffic({
    ...options,
    randomness: seed === undefined ? systemRandomness : seededRandomness(seed),
    rowsMax: 0,
    onRow: (row) => rows.write(`${JSON.stringify(row)}\n`),
  });
  const obey = async (command: unknown, reply: (message: unknown) => void): Promise<void> => {
    if (command === 'summary') reply({ command, summary: traffic.summary() });
    if (command !== 'stop') return;
    const summary = await traffic.stop();
    await new Promise<void>((resolve) => rows.end(resolve));
    reply({ command, summary });
    process.disconnect?.();
    process.exit(0);
  };
  process.on('message', (message) => {
    void obey(isRecord(message) ? message['command'] : undefined, (answer) => process.send?.(answer));
  });
  createInterface({ input: process.stdin }).on('line', (line) => {
    void obey(line.trim(), (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
  });
  announce({ name: 'traffic', url: options.baseUrl, port: 0 });
}

await main();
