// `understudy lab`: starts the lab and stays until Ctrl-C; `understudy lab lose home` and the like speak to a running one.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { Failure, systemClock } from '#base';
import { labModel } from './layout.ts';
import { serveLab, startLab, type Lab } from './supervisor.ts';

const defaultDirectory = '.understudy/lab';

const usage = `understudy lab: a complete stamp in two regions on this machine

  understudy lab [--directory DIR] [--base-port N]   start it (DIR .understudy/lab, N 7400); Ctrl-C ends it
  understudy lab status                              which processes run
  understudy lab lose home|partner                   SIGKILL every process of a region; its disk stays
  understudy lab restore home|partner                start them again
  understudy lab kill|start PROCESS                  one process
  understudy lab fault VENDOR 'JSON'                 set a vendor's faults, [] for none
      e.g. understudy lab fault model-home '[{"kind":"status","status":503}]'
`;

async function main(): Promise<number> {
  const parsed = parse();
  if (!parsed) return 2;
  const { values, positionals } = parsed;
  const directory = resolve(values.directory);
  const [command, ...rest] = positionals;
  if (values.help || command === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (command !== undefined) return speak(directory, command, rest);
  const basePort = Number(values['base-port']);
  if (!Number.isInteger(basePort) || basePort < 1_024 || basePort > 65_000) {
    process.stderr.write(`understudy lab: --base-port ${values['base-port']} is not a port between 1024 and 65000\n`);
    return 2;
  }
  return run(directory, basePort);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        directory: { type: 'string', default: defaultDirectory },
        'base-port': { type: 'string', default: '7400' },
        json: { type: 'boolean', default: false }, // every answer of a running lab is JSON anyway
        help: { type: 'boolean', default: false, short: 'h' },
      },
    });
  } catch (error) {
    process.stderr.write(`understudy lab: ${(error as Error).message}\n${usage}`);
    return undefined;
  }
}

async function run(directory: string, basePort: number): Promise<number> {
  let lab: Lab | undefined;
  const ended = new Promise<void>((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
  process.stdout.write('starting the lab: 2 regions, about 10 s\n');
  try {
    const startedMs = systemClock.monotonicMs();
    const starting = startLab({
      directory,
      basePort,
      onStarted: (plan) =>
        process.stdout.write(`  ${plan.area.padEnd(8)} ${plan.name.padEnd(20)} ${plan.url.padEnd(24)} ${plan.shows}\n`),
    });
    lab = await starting;
    const control = await serveLab(lab);
    const seconds = ((systemClock.monotonicMs() - startedMs) / 1_000).toFixed(1);
    process.stdout.write(whatNext(lab, seconds));
    await ended;
    process.stdout.write('\nending every process of the lab …\n');
    await control.close();
    return 0;
  } catch (error) {
    const hint = error instanceof Failure ? error.hint : undefined;
    process.stderr.write(`understudy lab: ${(error as Error).message}\n`);
    process.stderr.write(`  → ${hint ?? `see ${join(directory, 'logs')}`}\n`);
    return 1;
  } finally {
    await lab?.close();
    process.stdout.write('the lab has ended\n');
  }
}

function whatNext(lab: Lab, seconds: string): string {
  const { layout } = lab;
  const { stampFile, directory } = layout;
  const keyFile = join(directory, 'secrets', 'application-key');
  const elsewhere = directory !== resolve(defaultDirectory);
  const chooseStamp = elsewhere
    ? `\n  export UNDERSTUDY_STAMP=${stampFile}   # in every terminal: this lab is not in ${defaultDirectory}\n`
    : '';
  const understudy = 'npm run understudy --';
  const inLab = `${understudy} lab${elsewhere ? ` --directory ${directory}` : ''}`;
  return `
The lab is up (${seconds} s). Its stamp is ${stampFile}. In another terminal, in this folder, try:
${chooseStamp}
  curl ${lab.url('front-door')}/v1/chat/completions -H "authorization: Bearer $(cat ${keyFile})" \\
    -H 'content-type: application/json' \\
    -d '{"model":"${labModel}","messages":[{"role":"user","content":"What is 17 + 25?"}]}' -i

  ${understudy} sync --record-canary         # bring the standby up to date, record the canary
  ${understudy} status                       # roles, lease, lag, what would block a failover
  ${inLab} lose home                # SIGKILL of the active region; then:
  ${understudy} failover --as ada --reason "region lost" \\
    --accept-double "live-index=index builds are idempotent" \\
    --accept-double "nightly-features=features are overwritten whole" \\
    --accept-double "orchestrate=tasks look for earlier output"
  ${understudy} approve RUN --as grace       # from a third terminal, within two minutes:
  ${understudy} approve RUN --as edsger      # two people who are not ada
  ${inLab} restore home             # it comes back, is fenced, and brought up to date
  ${understudy} failback --as ada --reason "home is back"   # approved in the same way
  ${understudy} drill                        # rehearse the gates; production stays as it is

docs/guides/first-failover.md explains each. Ctrl-C ends the lab and every process of it.
`;
}

async function speak(directory: string, command: string, rest: readonly string[]): Promise<number> {
  const body = bodyOf(command, rest);
  if (!body) {
    process.stderr.write(`understudy lab: ${[command, ...rest].join(' ')} is not a command of the lab\n${usage}`);
    return 2;
  }
  let url: string;
  try {
    url = (JSON.parse(readFileSync(join(directory, 'lab.json'), 'utf8')) as { url: string }).url;
  } catch {
    process.stderr.write(`understudy lab: no lab runs in ${directory}\n  → start one with \`understudy lab\`\n`);
    return 1;
  }
  const path = command === 'fault' ? '/faults' : `/${command}`;
  const response = await request(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  const answer: unknown = await response.body.json();
  process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  return response.statusCode === 200 ? 0 : 1;
}

function bodyOf(command: string, rest: readonly string[]): Record<string, unknown> | undefined {
  const [first, second] = rest;
  if (command === 'status') return {};
  if ((command === 'lose' || command === 'restore') && (first === 'home' || first === 'partner'))
    return { site: first };
  if ((command === 'kill' || command === 'start') && first !== undefined) return { process: first };
  if (command === 'fault' && first !== undefined && second !== undefined) {
    try {
      return { vendor: first, faults: JSON.parse(second) as unknown };
    } catch {
      return undefined;
    }
  }
  return undefined;
}

process.exitCode = await main();
