// Starts the traffic as a process and asks it for its counts: the other end of main.ts.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isRecord } from '#base';
import type { TrafficConfig } from './config.ts';
import type { TrafficSummary } from './rows.ts';

export interface TrafficProcess {
  readonly pid: number;
  /** Rejects when the process has ended. */
  summary(): Promise<TrafficSummary>;
  /** Stops sending, waits for what is on its way, and ends the process; the rows file is then whole. */
  stop(): Promise<TrafficSummary>;
  /** For the way out after a failure. */
  kill(): void;
}

export async function forkTraffic(config: TrafficConfig): Promise<TrafficProcess> {
  // A file, because it holds the client key and arguments can be read in the process list.
  const configFile = `${config.rowsFile}.config.json`;
  writeFileSync(configFile, JSON.stringify(config), { mode: 0o600 });
  const child = fork(fileURLToPath(new URL('main.ts', import.meta.url)), [`@${configFile}`], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the traffic process ended with code ${String(code)}`);
  });
  exited.catch(() => {}); // Each call races with it; alone it is no failure.
  const { stdout, pid } = child;
  if (!stdout || pid === undefined) throw new Error('the traffic process could not be started');
  await Promise.race([once(stdout, 'data'), exited]);
  stdout.resume();

  async function ask(command: 'summary' | 'stop'): Promise<TrafficSummary> {
    const answered = new Promise<TrafficSummary>((resolve) => {
      const listen = (message: unknown): void => {
        if (!isRecord(message) || message['command'] !== command) return;
        child.off('message', listen);
        resolve(message['summary'] as TrafficSummary);
      };
      child.on('message', listen);
    });
    child.send({ command });
    return Promise.race([answered, exited]);
  }

  return {
    pid,
    summary: () => ask('summary'),
    async stop() {
      const summary = await ask('stop');
      await exited.catch(() => {});
      return summary;
    },
    kill: () => child.kill('SIGKILL'),
  };
}
