// A lab of real processes for one file of drills: in its own folder, on its own ports, gone without a trace afterwards.
// What the drills compare comes from the simulated vendors themselves, never from Understudy.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { codeOf, formatEpoch, sites, type Site } from '#base';
import { driftNow, replicate } from '../../../lab/demo/story.ts';
import {
  openStage,
  runOf,
  statusOf,
  until,
  vendorSchedules,
  type RunView,
  type Stage,
} from '../../../lab/demo/stage.ts';
import { clientId, labModel, originGroup, tenantId } from '../../../lab/layout.ts';
import { startLab, type Lab } from '../../../lab/supervisor.ts';
import type { TrafficProcess } from '../../../lab/traffic/mod.ts';

export interface DrillStage extends Stage {
  readonly directory: string;
  close(): Promise<void>;
}

const portsOfLab = 40;

/** A lab whose standby is up to date and whose canary has a baseline; `reader` is one more person, who may only read. */
export async function openDrillStage(options: { reader?: string } = {}): Promise<DrillStage> {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-drill-'));
  const lab = await startLab({ directory, basePort: await freeBasePort() });
  const close = async (): Promise<void> => {
    await lab.close();
    // A process that ends writes its compile cache; the folder is empty a moment later.
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    if (options.reader !== undefined) await addReader(lab, options.reader);
    const stage = await openStage(lab, noTraffic());
    await replicate(stage, 0);
    return { ...stage, directory, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function addReader(lab: Lab, person: string): Promise<void> {
  const { directory, stampFile } = lab.layout;
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  await writeFile(join(directory, 'keys', `${person}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(directory, 'keys', `${person}.pub.pem`), publicKey.export({ type: 'spki', format: 'pem' }));
  const entry = `  - { id: ${person}, name: ${person}, kind: lab, publicKey: 'file:keys/${person}.pub.pem', may: [read] }`;
  const text = await readFile(stampFile, 'utf8');
  await writeFile(stampFile, text.replace('\npeople:\n', `\npeople:\n${entry}\n`));
  await lab.killProcess('controller');
  await lab.startProcess('controller');
}

/** The drills ask when they want an answer; nobody else calls. */
function noTraffic(): TrafficProcess {
  const none = (): Promise<never> => Promise.reject(new Error('this stage has no traffic'));
  return { pid: 0, summary: none, stop: none, kill: () => undefined };
}

/** Files run beside each other: each looks in another place first, below the ports the system hands out by itself. */
async function freeBasePort(): Promise<number> {
  const first = process.pid % 200;
  for (let attempt = 0; attempt < 200; attempt++) {
    const base = 20_000 + ((first + attempt) % 200) * 50;
    if (await allFree(base)) return base;
  }
  throw new Error('there is no free range of ports for a lab');
}

async function allFree(base: number): Promise<boolean> {
  const free = await Promise.all(Array.from({ length: portsOfLab }, (_, index) => isFree(base + 1 + index)));
  return free.every(Boolean);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

// ---- what the vendors say ------------------------------------------------------------------------------------------

export interface Production {
  readonly schedules: Readonly<Record<Site, unknown>>;
  /** Everything ever written to a vault, by name and version. */
  readonly secrets: Readonly<Record<Site, unknown>>;
  readonly jobs: Readonly<Record<Site, unknown>>;
  readonly origins: unknown;
  readonly roles: Readonly<Record<Site, string>>;
  readonly epoch: string;
  readonly gateways: Readonly<Record<Site, unknown>>;
}

/** Production as its vendors and its gateways see it; equal before and after whatever must leave it alone. */
export async function productionOf(stage: Stage): Promise<Production> {
  const status = await statusOf(stage);
  const gateway = (site: Site): unknown => {
    const state = status.sites[site];
    assert.ok(!('unreachable' in state), `the gateway of ${site} answers`);
    const { role, mayAct, epoch, breakers, routes } = state;
    return { role, mayAct, epoch, breakers, routes };
  };
  return {
    schedules: await perSite((site) => vendorSchedules(stage, site)),
    secrets: await perSite((site) => effectsOf(stage, `key-vault-${site}`, /^secret-/)),
    jobs: await perSite((site) => effectsOf(stage, `databricks-${site}`, /^(job-(?!run)|notebook|policy|file|object)/)),
    origins: await originsOf(stage),
    roles: status.roles,
    epoch: status.epoch,
    gateways: { home: gateway('home'), partner: gateway('partner') },
  };
}

async function perSite<T>(look: (site: Site) => Promise<T>): Promise<Record<Site, T>> {
  return { home: await look('home'), partner: await look('partner') };
}

async function effectsOf(stage: Stage, vendor: string, types: RegExp): Promise<unknown[]> {
  const effects = await stage.lab.effects(vendor);
  return effects.filter(({ type }) => types.test(type)).map(({ id, type, key, detail }) => ({ id, type, key, detail }));
}

/** The origins of the front door, as its resource manager tells them. */
export async function originsOf(stage: Stage): Promise<Record<string, unknown>> {
  const states: Record<string, unknown> = {};
  for (const site of sites) {
    const path = `${originGroup}/origins/${site}?api-version=2025-06-01`;
    const response = await request(`${managerUrl(stage)}${path}`, {
      headers: { authorization: `Bearer ${stage.lab.layout.secret('resource-manager-token')}` },
    });
    const body = (await response.body.json()) as { properties?: { enabledState?: string } };
    assert.equal(response.statusCode, 200, JSON.stringify(body));
    states[site] = body.properties?.enabledState;
  }
  return states;
}

const managerUrl = (stage: Stage): string => `http://127.0.0.1:${stage.lab.layout.sharedPort('resourceManager')}`;

/** A vault's own API, called as the region's application. */
export async function callVault(
  stage: Stage,
  call: { site: Site; method: 'GET' | 'DELETE'; secret: string },
): Promise<number> {
  const { layout } = stage.lab;
  const ca = await readFile(join(layout.directory, 'data', 'identity', 'ca.pem'), 'utf8');
  const dispatcher = new Agent({ connect: { ca } });
  const token = await request(`https://127.0.0.1:${layout.sharedPort('identity')}/${tenantId}/oauth2/v2.0/token`, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId[call.site],
      client_secret: layout.secret(`identity-${call.site}`),
      scope: 'https://vault.azure.net/.default',
    }).toString(),
  });
  const { access_token: accessToken } = (await token.body.json()) as { access_token: string };
  await dispatcher.close();
  const url = `${stage.lab.url(`key-vault-${call.site}`)}/secrets/${call.secret}?api-version=7.6`;
  const response = await request(url, { method: call.method, headers: { authorization: `Bearer ${accessToken}` } });
  await response.body.dump();
  return response.statusCode;
}

/** Writes a notebook through the workspace's own API. */
export async function importNotebook(stage: Stage, site: Site, path: string, source: string): Promise<void> {
  const response = await request(`${stage.lab.url(`databricks-${site}`)}/api/2.0/workspace/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.lab.layout.secret(`databricks-${site}`)}` },
    body: JSON.stringify({
      path,
      format: 'SOURCE',
      language: 'PYTHON',
      overwrite: true,
      content: Buffer.from(`# Databricks notebook source\n${source}\n`).toString('base64'),
    }),
  });
  assert.equal(response.statusCode, 200, await response.body.text());
}

/** Which site answers a client at the public address. */
export async function siteThatAnswers(stage: Stage): Promise<string> {
  const response = await askModel(`${stage.lab.url('front-door')}/v1`, stage.lab.layout.secret('application-key'));
  assert.equal(response.status, 200, response.text);
  return String(response.headers['x-understudy-site']);
}

/** One request of a client; `body` replaces the ordinary one. */
export async function askModel(
  baseUrl: string,
  apiKey: string,
  body = JSON.stringify({ model: labModel, messages: [{ role: 'user', content: 'What is 2 + 3?' }] }),
): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; text: string }> {
  const response = await request(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body,
  });
  return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
}

// ---- runs ----------------------------------------------------------------------------------------------------------

/** Starts a run as ada and returns when it has ended, stopped, or waits for people only. */
export async function startRun(stage: Stage, kind: RunView['plan']['kind'], reason: string): Promise<RunView> {
  const opened = (await stage.as('ada').post('/api/runs', { kind, reason })) as RunView;
  return untilSettled(stage, opened.run);
}

export function untilSettled(stage: Stage, run: string): Promise<RunView> {
  return until(
    `an end of ${run}`,
    async () => {
      const view = await runOf(stage, run);
      const waits = view.steps.approval?.status === 'running';
      return view.phase === 'stopped' || view.sealed !== undefined || waits ? view : undefined;
    },
    60_000,
  );
}

/** Syncs until nothing differs and nothing exists twice. */
export async function untilNoDrift(stage: Stage): Promise<void> {
  await until('a standby without drift', async () => {
    await stage.as('ada').post('/api/sync', {});
    const drift = await driftNow(stage);
    assert.equal(drift.twins, 0, 'an artifact exists twice');
    return drift.count === 0;
  });
}

/** The stable code with which a call was refused. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return codeOf(error);
  }
  return 'not refused';
}

export const epochOf = (view: RunView): string => formatEpoch(view.epochBefore);
