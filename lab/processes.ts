// The processes of a lab: what each is started with, and how one is started, killed and started again.

import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock, tryParseJson, type Site } from '#base';
import { clientId, labRegions, originGroup, tenantId, type Layout } from './layout.ts';

export interface ProcessPlan {
  readonly name: string;
  readonly area: Site | 'shared';
  readonly script: string;
  readonly args: readonly string[];
  /** Written to a file that only its owner can read, and named to the process: it holds secrets. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** For people: what it is and where. */
  readonly shows: string;
  readonly url: string;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const url = (port: number): string => `http://127.0.0.1:${port}`;

/** Every process of the lab, in the order in which they are started. */
export function planProcesses(layout: Layout): ProcessPlan[] {
  return [
    ...sharedVendors(layout),
    ...regionVendors(layout, 'home'),
    ...regionVendors(layout, 'partner'),
    ...ownProcesses(layout),
  ];
}

function vendor(
  name: string,
  folder: string,
  options: { area: ProcessPlan['area']; shows: string; port: number; config: Record<string, unknown> },
): ProcessPlan {
  const { area, shows, port, config } = options;
  return {
    name,
    area,
    script: here(`${folder}/main.ts`),
    args: [],
    config: { name, ...config },
    shows,
    url: url(port),
  };
}

function sharedVendors(layout: Layout): ProcessPlan[] {
  const identity = layout.sharedPort('identity');
  const clients = (['home', 'partner'] as const).map((site) => ({
    id: clientId[site],
    secret: layout.secret(`identity-${site}`),
  }));
  const model = (name: string, port: number, config: Record<string, unknown>): ProcessPlan =>
    vendor(name, 'model', {
      area: 'shared',
      shows: 'model endpoint',
      port,
      config: { port, dataFile: layout.dataFile(name), firstByteMs: 60, tokenIntervalMs: 5, ...config },
    });
  const apiKeys = { [layout.secret('model-key')]: 'stamp' };
  const frontDoor = layout.sharedPort('frontDoor');
  const armPort = layout.sharedPort('resourceManager');
  return [
    vendor('identity', 'identity', {
      area: 'shared',
      shows: 'token endpoint',
      port: identity,
      config: {
        port: identity,
        dataFile: layout.dataFile('identity'),
        directory: join(layout.directory, 'data', 'identity'),
        tenants: [{ id: tenantId, clients }],
      },
    }),
    model('model-home', layout.sharedPort('modelHome'), { apiKeys, models: ['gpt-lab-1'], region: labRegions.home }),
    model('model-partner', layout.sharedPort('modelPartner'), {
      apiKeys,
      models: ['gpt-lab-1'],
      region: labRegions.partner,
    }),
    model('model-backup', layout.sharedPort('modelBackup'), {
      apiKeys: { [layout.secret('backup-key')]: 'stamp' },
      models: ['small-lab-1'],
      region: labRegions.home,
      manner: 'chatty',
    }),
    vendor('front-door', 'front-door', {
      area: 'shared',
      shows: 'what clients call',
      port: frontDoor,
      config: {
        publicPort: frontDoor,
        armPort,
        dataFile: layout.dataFile('front-door'),
        origins: {
          home: { name: 'home', url: url(layout.port('home', 'gateway')), enabled: true },
          partner: { name: 'partner', url: url(layout.port('partner', 'gateway')), enabled: false },
        },
        token: layout.secret('resource-manager-token'),
        originGroup,
      },
    }),
  ];
}

function regionVendors(layout: Layout, site: Site): ProcessPlan[] {
  const port = (name: Parameters<Layout['port']>[1]): number => layout.port(site, name);
  const rights = ['get', 'list', 'set', 'delete', 'recover'];
  return [
    vendor(`databricks-${site}`, 'databricks', {
      area: site,
      shows: 'Databricks workspace',
      port: port('databricks'),
      config: {
        port: port('databricks'),
        dataFile: layout.dataFile(`databricks-${site}`),
        tokens: { [layout.secret(`databricks-${site}`)]: 'understudy' },
        runMs: 2_000,
      },
    }),
    vendor(`langfuse-${site}`, 'langfuse', {
      area: site,
      shows: 'Langfuse 4 (events_only)',
      port: port('langfuse'),
      config: {
        port: port('langfuse'),
        dataFile: layout.dataFile(`langfuse-${site}`),
        projects: [{ id: 'lab', name: 'Lab', publicKey: 'pk-lf-lab', secretKey: layout.secret('langfuse-secret') }],
      },
    }),
    vendor(`key-vault-${site}`, 'key-vault', {
      area: site,
      shows: 'Key Vault',
      port: port('keyVault'),
      config: {
        port: port('keyVault'),
        dataFile: layout.dataFile(`key-vault-${site}`),
        jwksFile: join(layout.directory, 'data', 'identity', 'jwks.json'),
        authority: `https://127.0.0.1:${layout.sharedPort('identity')}/${tenantId}`,
        tenantId,
        access: { [clientId.home]: rights, [clientId.partner]: rights },
        seed: vaultSeed(layout, site),
      },
    }),
    vendor(`storage-${site}`, 'storage', {
      area: site,
      shows: 'blob storage (Azurite)',
      port: port('storage'),
      config: {
        port: port('storage'),
        directory: join(layout.directory, 'data', `storage-${site}`),
        account: `stlab${site}`,
        key: layout.secret(`storage-${site}`),
      },
    }),
  ];
}

function vaultSeed(layout: Layout, site: Site): object[] {
  const comparison = { name: 'understudy-comparison-key', value: layout.secret('comparison-key') };
  if (site === 'partner') return [comparison];
  const credentials = [
    { name: 'model-api-key', value: layout.secret('model-key'), contentType: 'text/plain' },
    { name: 'backup-api-key', value: layout.secret('backup-key') },
    { name: 'langfuse-secret-key', value: layout.secret('langfuse-secret') },
  ];
  // More than one page of a listing.
  const partners = Array.from({ length: 24 }, (_, index) => ({
    name: `crm-token-${String(index + 1).padStart(2, '0')}`,
    value: `${layout.secretSha256('comparison-key').slice(index, index + 24)}${index}`,
    tags: { owner: 'crm' },
  }));
  return [comparison, ...credentials, ...partners];
}

function ownProcesses(layout: Layout): ProcessPlan[] {
  const own = (part: 'controller' | Site, area: ProcessPlan['area'], port: number, shows: string): ProcessPlan => ({
    name: part === 'controller' ? 'controller' : `gateway-${part}`,
    area,
    script: here('../bin/understudy.mjs'),
    args: ['serve', part, '--stamp', layout.stampFile],
    shows,
    url: url(port),
  });
  return [
    own('controller', 'shared', layout.sharedPort('controller'), 'controller, ledger and evidence'),
    own('home', 'home', layout.port('home', 'gateway'), 'gateway and relay'),
    own('partner', 'partner', layout.port('partner', 'gateway'), 'gateway and relay'),
  ];
}

export interface RunningProcess {
  readonly plan: ProcessPlan;
  readonly pid: number;
  alive(): boolean;
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, then SIGKILL after a while. */
  stop(): Promise<void>;
}

function configArguments(plan: ProcessPlan, layout: Layout): string[] {
  if (!plan.config) return [];
  const file = join(layout.directory, 'secrets', `${plan.name}.config.json`);
  writeFileSync(file, JSON.stringify(plan.config), { mode: 0o600 });
  return [`@${file}`];
}

const startTimeoutMs = 30_000;
const stopTimeoutMs = 5_000;

/** Starts a process and waits for its ready line; rejects with what it wrote when it does not come up. */
export async function startProcess(plan: ProcessPlan, layout: Layout): Promise<RunningProcess> {
  const log = createWriteStream(join(layout.directory, 'logs', `${plan.name}.log`), { flags: 'a' });
  const child = spawn(process.execPath, [plan.script, ...configArguments(plan, layout), ...plan.args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(layout.directory, 'data', 'compile-cache') },
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-2_000);
    log.write(chunk);
  });
  try {
    await untilReady(child, { plan, gone, said: () => said });
  } catch (error) {
    child.kill('SIGKILL'); // one that took too long would stay behind, and keep the lab from ending
    throw error;
  }
  const wait = async (): Promise<void> => {
    await gone;
    log.end();
  };
  return {
    plan,
    pid: child.pid ?? 0,
    alive: () => child.exitCode === null && child.signalCode === null,
    async kill() {
      child.kill('SIGKILL');
      await wait();
    },
    async stop() {
      child.kill('SIGTERM');
      const patience = new AbortController();
      void systemClock.sleep(stopTimeoutMs, patience.signal).then(
        () => child.kill('SIGKILL'),
        () => undefined,
      );
      await wait();
      patience.abort();
    },
  };
}

async function untilReady(
  child: ChildProcess,
  context: { plan: ProcessPlan; gone: Promise<void>; said: () => string },
): Promise<void> {
  const { plan } = context;
  const failed = (why: string): Error => new Error(`${plan.name} did not start: ${reasonIn(context.said()) ?? why}`);
  if (!child.stdout) throw failed('it has no output');
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      const parsed = tryParseJson(line);
      if (parsed.ok && (parsed.value as { ready?: boolean } | null)?.ready) resolve();
    });
  });
  const patience = new AbortController();
  await Promise.race([
    ready,
    context.gone.then(() => Promise.reject(failed('it ended'))),
    systemClock.sleep(startTimeoutMs, patience.signal).then(() => Promise.reject(failed('it took too long'))),
  ]).finally(() => patience.abort());
}

/** The line of its last words that says what went wrong, without the stack; all of them are in its log. */
export function reasonIn(said: string): string | undefined {
  const lines = said.split('\n').map((line) => line.trim());
  const reason = lines.findLast((line) => /^(?:\w*(?:Error|Exception)(?: \[\w+\])?|understudy): /.test(line));
  return reason?.replace(/^(?:Error|understudy): /, '') ?? lines.find((line) => line !== '');
}
