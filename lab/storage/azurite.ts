// Blob storage of the lab: Azurite, Microsoft's own emulator, as a child process on its own folder. It knows nothing of
// the lab, so a small guardian process runs it and ends with the process that started it.

import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#base';

export interface AzuriteOptions {
  /** 0 for any free port. */
  readonly port: number;
  /** Where Azurite keeps its data; the same folder gives the same blobs after a restart. */
  readonly directory: string;
  readonly account: string;
  /** Base64, as storage account keys are. */
  readonly key: string;
  readonly host?: string;
  /** Default 20 s. */
  readonly readyTimeoutMs?: number;
}

export interface RunningAzurite {
  /** Blob endpoint with the account: what a stamp's `storage` names. */
  readonly url: string;
  readonly port: number;
  /** SIGKILL on it is the loss of the storage account's process; the disk stays. */
  readonly process: ChildProcess;
  close(): Promise<void>;
}

const guardian = fileURLToPath(new URL('guardian.mjs', import.meta.url));
const program = fileURLToPath(import.meta.resolve('azurite/dist/src/blob/main.js'));

/** Resolves when Azurite answers; rejects, with nothing left running, when it does not in time. */
export async function startAzurite(options: AzuriteOptions): Promise<RunningAzurite> {
  const host = options.host ?? '127.0.0.1';
  const port = options.port === 0 ? await freePort(host) : options.port;
  mkdirSync(options.directory, { recursive: true });
  const place = ['--blobHost', host, '--blobPort', String(port), '--location', options.directory];
  const flags = ['--skipApiVersionCheck', '--silent', '--disableTelemetry'];
  const child = spawn(process.execPath, [guardian, program, ...place, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, AZURITE_ACCOUNTS: `${options.account}:${options.key}` },
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = `${complaint}${chunk.toString('utf8')}`.slice(-2_000);
  });
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const ready = await answers(`http://${host}:${port}/${options.account}?comp=list`, {
    child,
    timeoutMs: options.readyTimeoutMs ?? 20_000,
  });
  if (!ready) {
    await close();
    throw new Error(`Azurite did not start on port ${port}: ${complaint.trim() || 'no message'}`);
  }
  return { url: `http://${host}:${port}/${options.account}`, port, process: child, close };
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Any HTTP answer will do: the call is unsigned and is refused, by an Azurite that is up. */
async function answers(
  url: string,
  { child, timeoutMs }: { child: ChildProcess; timeoutMs: number },
): Promise<boolean> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  while (systemClock.monotonicMs() < endMs && child.exitCode === null && child.signalCode === null) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
      await response.body?.cancel();
      return true;
    } catch {
      await systemClock.sleep(50);
    }
  }
  return false;
}
