// A running lab: starts every process, loses a region by SIGKILL, brings it back, and ends without leaving a process behind.

import { createServer, type Server } from 'node:http';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { systemClock, type Site } from '#base';
import { readBody, sendJson, type EffectRow, type Fault } from './kit/mod.ts';
import { openLayout, type Layout } from './layout.ts';
import { checkBeforeStart } from './preflight.ts';
import { planProcesses, startProcess, type ProcessPlan, type RunningProcess } from './processes.ts';
import { seedLab } from './seed.ts';
import { stampText } from './stamp-text.ts';

export interface LabOptions {
  readonly directory: string;
  readonly basePort: number;
  /** Called with each process that came up. */
  readonly onStarted?: (plan: ProcessPlan) => void;
}

export interface Lab {
  readonly layout: Layout;
  readonly plans: readonly ProcessPlan[];
  url(process: string): string;
  alive(process: string): boolean;
  /** SIGKILL of every process of the region; its disk stays. */
  lose(site: Site): Promise<void>;
  restore(site: Site): Promise<void>;
  killProcess(name: string): Promise<void>;
  startProcess(name: string): Promise<void>;
  setFaults(vendor: string, faults: readonly Fault[]): Promise<void>;
  /** What took effect at a simulated vendor, from its own ledger. */
  effects(vendor: string, options?: { type?: string; after?: number }): Promise<EffectRow[]>;
  close(): Promise<void>;
}

export async function startLab(options: LabOptions): Promise<Lab> {
  await checkBeforeStart(options.directory, options.basePort);
  const layout = openLayout(options.directory, options.basePort);
  writeFileSync(layout.stampFile, stampText(layout));
  const plans = planProcesses(layout);
  const running = new Map<string, RunningProcess>();
  const start = async (plan: ProcessPlan): Promise<void> => {
    running.set(plan.name, await startProcess(plan, layout));
    options.onStarted?.(plan);
  };
  const planOf = (name: string): ProcessPlan => {
    const plan = plans.find((candidate) => candidate.name === name);
    if (!plan) throw new Error(`the lab has no process ${name}; it has ${plans.map((one) => one.name).join(', ')}`);
    return plan;
  };
  const lab: Lab = {
    layout,
    plans,
    url: (name) => planOf(name).url,
    alive: (name) => running.get(planOf(name).name)?.alive() ?? false,
    async lose(site) {
      await Promise.all(plans.filter((plan) => plan.area === site).map(async (plan) => running.get(plan.name)?.kill()));
    },
    async restore(site) {
      const gone = plans.filter((plan) => plan.area === site && !running.get(plan.name)?.alive());
      await Promise.all(gone.map((plan) => startAgain(plan, start)));
    },
    async killProcess(name) {
      await running.get(planOf(name).name)?.kill();
    },
    startProcess: (name) => startAgain(planOf(name), start),
    setFaults: (vendor, faults) => setFaults(adminUrl(planOf(vendor), layout), faults),
    effects: (vendor, query) => readEffects(adminUrl(planOf(vendor), layout), query),
    async close() {
      const own = [...running.values()].filter((one) => one.plan.script.endsWith('understudy.mjs'));
      const vendors = [...running.values()].filter((one) => !own.includes(one));
      await Promise.all(own.filter((one) => one.alive()).map((one) => one.stop()));
      await Promise.all(vendors.filter((one) => one.alive()).map((one) => one.stop()));
    },
  };
  try {
    const identity = planOf('identity');
    await start(identity); // its keys are what the vaults verify tokens with
    const vendors = plans.filter((plan) => !plan.script.endsWith('understudy.mjs') && plan !== identity);
    await inPairs(vendors, start);
    await seedLab(layout);
    await inPairs(
      plans.filter((plan) => plan.script.endsWith('understudy.mjs')),
      start,
    );
  } catch (error) {
    await lab.close();
    throw error;
  }
  return lab;
}

/** A few at a time: starting all at once is slower on few cores. */
async function inPairs(plans: readonly ProcessPlan[], start: (plan: ProcessPlan) => Promise<void>): Promise<void> {
  const waiting = [...plans];
  const worker = async (): Promise<void> => {
    for (let plan = waiting.shift(); plan; plan = waiting.shift()) await start(plan);
  };
  const results = await Promise.allSettled([worker(), worker(), worker()]);
  for (const result of results) if (result.status === 'rejected') throw result.reason as Error;
}

/** A port can stay busy for a moment after its process was killed. */
async function startAgain(plan: ProcessPlan, start: (plan: ProcessPlan) => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(plan);
    } catch (error) {
      if (attempt === 5) throw error;
      await systemClock.sleep(300 * attempt);
    }
  }
}

/** The front door answers the lab on its Resource Manager port, the identity endpoint over https. */
function adminUrl(plan: ProcessPlan, layout: Layout): string {
  return plan.name === 'front-door' ? `http://127.0.0.1:${layout.sharedPort('resourceManager')}` : plan.url;
}

async function setFaults(url: string, faults: readonly Fault[]): Promise<void> {
  const response = await request(`${url}/_lab/faults`, { method: 'PUT', body: JSON.stringify(faults) });
  const text = await response.body.text();
  if (response.statusCode !== 200) throw new Error(`faults refused: ${text}`);
}

async function readEffects(url: string, query: { type?: string; after?: number } = {}): Promise<EffectRow[]> {
  const all: EffectRow[] = [];
  for (let after = query.after ?? 0; ;) {
    const search = new URLSearchParams({
      after: String(after),
      ...(query.type === undefined ? {} : { type: query.type }),
    });
    const response = await request(`${url}/_lab/effects?${search.toString()}`);
    const rows = (await response.body.json()) as EffectRow[];
    all.push(...rows);
    const last = rows.at(-1);
    if (!last || rows.length < 10_000) return all;
    after = last.id;
  }
}

/** Lets `understudy lab lose|restore|fault …` reach the running lab. */
export async function serveLab(lab: Lab): Promise<{ close(): Promise<void> }> {
  const server: Server = createServer((incoming, response) => {
    void (async () => {
      try {
        const body = JSON.parse((await readBody(incoming)).toString('utf8') || '{}') as Record<string, unknown>;
        sendJson(response, 200, await obey(lab, incoming.url ?? '', body));
      } catch (error) {
        sendJson(response, 400, { error: error instanceof Error ? error.message : String(error) });
      }
    })();
  });
  const port = lab.layout.sharedPort('lab');
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const file = join(lab.layout.directory, 'lab.json');
  writeFileSync(file, JSON.stringify({ pid: process.pid, url: `http://127.0.0.1:${port}` }));
  return {
    async close() {
      rmSync(file, { force: true });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function obey(lab: Lab, path: string, body: Record<string, unknown>): Promise<unknown> {
  const site = body['site'] === 'partner' ? 'partner' : 'home';
  switch (path) {
    case '/status':
      return lab.plans.map((plan) => ({
        name: plan.name,
        area: plan.area,
        url: plan.url,
        alive: lab.alive(plan.name),
      }));
    case '/lose':
      await lab.lose(site);
      return { lost: site };
    case '/restore':
      await lab.restore(site);
      return { restored: site };
    case '/faults':
      await lab.setFaults(String(body['vendor']), body['faults'] as Fault[]);
      return { vendor: body['vendor'], faults: body['faults'] };
    case '/kill':
      await lab.killProcess(String(body['process']));
      return { killed: body['process'] };
    case '/start':
      await lab.startProcess(String(body['process']));
      return { started: body['process'] };
    default:
      throw new Error(`the lab has no ${path}`);
  }
}
