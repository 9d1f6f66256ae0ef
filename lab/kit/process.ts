// How a lab process starts and ends: one JSON argument in, one `{"ready":true,…}` line out on stdout, and it exits when
// the supervisor that started it is gone.

import { readFileSync } from 'node:fs';
import type { RunningVendor } from './server.ts';

/**
 * The process's configuration: the JSON text of its first argument, or of the file it names as `@FILE`. Configurations
 * with secrets come as files: arguments can be read in the process list.
 */
export function processConfig(): unknown {
  const given = process.argv[2];
  const text = given?.startsWith('@') ? readFileSync(given.slice(1), 'utf8') : given;
  if (text === undefined) {
    process.stderr.write('this is a process of the lab; start it with `npm start`\n');
    process.exit(2);
  }
  return JSON.parse(text);
}

/** Announces the vendor and ties its life to the supervisor's. */
export function announce(vendor: Pick<RunningVendor, 'name' | 'url' | 'port'>): void {
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => {}); // Ctrl-C reaches the whole group; the supervisor ends its processes in order.
  process.on('SIGTERM', () => process.exit(0));
  process.stdout.write(`${JSON.stringify({ ready: true, name: vendor.name, url: vendor.url, port: vendor.port })}\n`);
}
