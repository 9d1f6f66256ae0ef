// What must hold before a lab starts: no other lab in its folder, and every port of it free. Checked before anything is
// written, since a second lab in the folder of a running one would give that one's stamp its own ports.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { request } from 'undici';
import { Failure, tryParseJson } from '#base';
import { labPorts } from './layout.ts';

const answerTimeoutMs = 2_000;

/**
 * @throws Failure `LAB_RUNNING` when a lab answers for this folder, `PORT_IN_USE` when something else has a port of it.
 */
export async function checkBeforeStart(directory: string, basePort: number): Promise<void> {
  const running = await runningLab(directory);
  if (running !== undefined) {
    throw new Failure('LAB_RUNNING', `a lab already runs in ${directory} (process ${running})`, {
      hint: 'end it with Ctrl-C, or start another with --directory and --base-port',
    });
  }
  const ports = labPorts(basePort);
  const free = await Promise.all(ports.map(isFree));
  const busy = ports.filter((_, index) => free[index] === false);
  if (busy.length === 0) return;
  const which = busy.length === 1 ? `port ${busy[0]} is` : `ports ${busy.join(', ')} are`;
  throw new Failure('PORT_IN_USE', `${which} in use on 127.0.0.1`, {
    hint: 'is another lab running? choose other ports with --base-port',
  });
}

/** The process id of the lab that answers for this folder; a file left by a killed lab names one that does not. */
async function runningLab(directory: string): Promise<number | undefined> {
  let text: string;
  try {
    text = readFileSync(join(directory, 'lab.json'), 'utf8');
  } catch {
    return undefined;
  }
  const parsed = tryParseJson(text);
  const named = parsed.ok ? (parsed.value as { pid?: number; url?: string } | null) : null;
  if (named?.url === undefined || named.pid === undefined) return undefined;
  try {
    const signal = AbortSignal.timeout(answerTimeoutMs);
    const response = await request(`${named.url}/status`, { method: 'POST', body: '{}', signal });
    await response.body.dump();
    return response.statusCode === 200 ? named.pid : undefined;
  } catch {
    return undefined;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
