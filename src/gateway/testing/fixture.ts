// A gateway on a free port with scripted upstreams behind it, for tests. Everything a test may want to turn is an option.

import { sha256, systemClock, systemRandomness, type Clock, type Epoch, type Role } from '#base';
import type { Journal } from '#journal';
import type { Route, SecretReader, Stamp } from '#stamp';
import { createGateway, type Gateway, type LogLine, type Mount } from '../mod.ts';
import { MemoryJournal } from './memory-journal.ts';
import { startScriptedUpstream, type ScriptedUpstream } from './scripted-upstream.ts';

export const clientKey = 'sk-client-one-0001';
export const drillKey = 'sk-client-drill-0001';
export const upstreamSecret = 'sk-upstream-secret-0001';

export interface TestAuthority {
  role: Role | 'unknown';
  epoch: Epoch | undefined;
  mayAct: boolean;
}

export interface FixtureOptions {
  readonly route?: Partial<Route>;
  readonly gateway?: Partial<Omit<Stamp['gateway'], 'upstreams' | 'routes' | 'clients'>>;
  readonly timeouts?: Partial<Record<'connect' | 'firstByte' | 'idle', string>>;
  readonly breaker?: Partial<Stamp['gateway']['upstreams'][number]['breaker']>;
  readonly upstreamModel?: string;
  readonly secrets?: SecretReader;
  readonly journal?: Journal;
  readonly clock?: Clock;
  readonly mounts?: readonly Mount[];
}

export interface Fixture extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly url: string;
  readonly journal: MemoryJournal;
  readonly authority: TestAuthority;
  readonly logged: LogLine[];
  /** First region, other region, backup. */
  readonly first: ScriptedUpstream;
  readonly other: ScriptedUpstream;
  readonly backup: ScriptedUpstream;
  ask(body: unknown, options?: { headers?: Record<string, string>; signal?: AbortSignal }): Promise<Response>;
}

export const messageRung = { rung: 'message', text: 'We are limited at the moment.' } as const;
export const modelRungs: Route['ladder'] = [
  { rung: 'model', upstream: 'first' },
  { rung: 'other-region', upstream: 'other' },
  { rung: 'backup', upstream: 'backup' },
];

export async function startFixture(options: FixtureOptions = {}): Promise<Fixture> {
  const [first, other, backup] = await Promise.all([
    startScriptedUpstream(),
    startScriptedUpstream(),
    startScriptedUpstream(),
  ]);
  const journal = new MemoryJournal();
  const authority: TestAuthority = { role: 'active', epoch: { generation: 1, number: 4 }, mayAct: true };
  const logged: LogLine[] = [];
  const urls = { first: first.url, other: other.url, backup: backup.url };
  const gateway = createGateway({
    stamp: stampOf(urls, options),
    site: 'home',
    journal: options.journal ?? journal,
    secrets: options.secrets ?? { read: () => Promise.resolve(upstreamSecret) },
    authority: {
      site: 'home',
      role: () => authority.role,
      epoch: () => authority.epoch,
      mayAct: () => authority.mayAct,
    },
    clock: options.clock ?? systemClock,
    randomness: systemRandomness,
    log: (line) => void logged.push(line),
    port: 0,
    ...(options.mounts ? { mounts: options.mounts } : {}),
  });
  const { url } = await gateway.listen();
  return {
    gateway,
    url,
    journal,
    authority,
    logged,
    first,
    other,
    backup,
    ask: (body, ask = {}) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, ...ask.headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...(ask.signal ? { signal: ask.signal } : {}),
      }),
    async [Symbol.asyncDispose]() {
      await gateway.close(0);
      await Promise.all([first.close(), other.close(), backup.close()]);
    },
  };
}

function stampOf(urls: Record<'first' | 'other' | 'backup', string>, options: FixtureOptions): Stamp {
  const upstreams = Object.entries(urls).map(([id, url]): Stamp['gateway']['upstreams'][number] => ({
    id,
    kind: 'openai-compatible',
    url,
    ...(options.upstreamModel === undefined ? {} : { model: options.upstreamModel }),
    region: 'westeurope',
    credential: `env:KEY_${id.toUpperCase()}`,
    timeouts: { connect: '2s', firstByte: '5s', idle: '5s', ...options.timeouts },
    breaker: { failureRate: 0.5, callsMin: 100, window: '10s', openFor: '5s', ...options.breaker },
  }));
  const route: Route = {
    id: 'main',
    models: ['assistant'],
    ladder: modelRungs,
    deadline: '10s',
    attemptsPerRungMax: 2,
    retryWaitMax: '2s',
    capture: 'full',
    onJournalFailure: 'refuse',
    tools: [
      { name: 'look_up', effect: 'read' },
      { name: 'refund', effect: 'write' },
    ],
    mode: 'normal',
    ...options.route,
  };
  const clients: Stamp['gateway']['clients'] = [
    { id: 'one', tenant: 'acme', keySha256: sha256(clientKey), routes: ['main'], rehearsal: false },
    { id: 'drill', tenant: 'acme', keySha256: sha256(drillKey), routes: ['main'], rehearsal: true },
    { id: 'nothing', tenant: 'acme', keySha256: sha256('sk-nothing'), routes: ['other-route'], rehearsal: false },
  ];
  const gateway = {
    bodyBytesMax: 1_000_000,
    captureBytesMax: 33_554_432,
    concurrencyMax: 100,
    upstreams,
    routes: [route],
    clients,
    ...options.gateway,
  };
  const site = { gateway: { url: 'http://127.0.0.1:1', listen: { host: '127.0.0.1', port: 1 } } };
  // The gateway reads these two sections only; a whole stamp would bury what a test is about.
  return { gateway, sites: { home: site, partner: site } } as unknown as Stamp;
}

export const chat = (more: object = {}): object => ({
  model: 'assistant',
  messages: [{ role: 'user', content: 'hi' }],
  ...more,
});

export interface Envelope {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** The envelope of an error answer; throws when it is not one. */
export async function envelopeOf(response: Response): Promise<Envelope['error']> {
  const text = await response.text();
  const parsed = JSON.parse(text) as Envelope;
  const keys = Object.keys(parsed.error).sort().join();
  if (keys !== 'code,message,param,type') throw new Error(`not the OpenAI envelope: ${text}`);
  return parsed.error;
}

/** Resolves when the condition holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await systemClock.sleep(2);
}
