// One process writes a journal at a time. Each claims the folder with an empty file whose name says who it is, and holds
// the lock when it then sees no other living claim. Names are unique and made at once, so nothing can be half written, and
// the claim of a process that was killed can be removed by anyone without a race.

import { open, readdir, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { codeOf, randomHex, systemRandomness } from '#base';
import { journalInUse } from './errors.ts';

interface Claim {
  readonly pid: number;
  /** Start of the process in the kernel's clock ticks; empty where the system does not tell (then the id alone counts). */
  readonly started: string;
  /** The kernel's id of this boot; another one means that every process of the claim's time is gone. */
  readonly boot: string;
  readonly host: string;
  /** Tells two claims of one process apart. */
  readonly token: string;
}

/**
 * Takes the directory's lock. Rejects with `JOURNAL_IN_USE`; of processes that start at the same moment that may be all.
 * Resolves to how to give it back.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const mine = await describeSelf();
  const path = join(directory, fileNameOf(mine));
  await (await open(path, 'wx', 0o600)).close();
  try {
    for (const name of await readdir(directory)) {
      const claim = parseFileName(name);
      if (!claim || claim.token === mine.token) continue;
      if (await mayLive(claim, mine)) throw journalInUse(directory, describe(claim, { mine, directory }));
      await rm(join(directory, name), { force: true });
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return () => rm(path, { force: true });
}

function fileNameOf(claim: Claim): string {
  return ['lock', claim.pid, claim.started, claim.boot, encodeURIComponent(claim.host), claim.token].join('~');
}

function parseFileName(name: string): Claim | undefined {
  const [word, pid, started, boot, host, token, ...rest] = name.split('~');
  if (word !== 'lock' || token === undefined || rest.length > 0) return undefined;
  return { pid: Number(pid), started: started ?? '', boot: boot ?? '', host: decodeURIComponent(host ?? ''), token };
}

async function mayLive(claim: Claim, mine: Claim): Promise<boolean> {
  // Another host's processes cannot be seen from here: a person decides.
  if (claim.host !== mine.host) return true;
  if (claim.boot !== mine.boot) return false;
  if (!exists(claim.pid)) return false;
  // A process id is given again; its start time tells whose it is now.
  const started = await startOf(claim.pid);
  return claim.started === '' || started === '' || started === claim.started;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

async function describeSelf(): Promise<Claim> {
  const boot = (await textOf('/proc/sys/kernel/random/boot_id')).trim();
  const started = await startOf(process.pid);
  return { pid: process.pid, started, boot, host: hostname(), token: randomHex(8, systemRandomness) };
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), counted after the name, which may hold spaces and parentheses. */
async function startOf(pid: number): Promise<string> {
  const text = await textOf(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[19] ?? '';
}

/** Empty where there is no such file: not every system has /proc. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

function describe(claim: Claim, context: { mine: Claim; directory: string }): string {
  if (claim.host === context.mine.host) return `process ${claim.pid}`;
  const path = join(context.directory, fileNameOf(claim));
  return `process ${claim.pid} on ${claim.host} (if that host is gone for good, delete ${path})`;
}
