// Which function answers which route. A route exists or it does not (404 as a page), then its method must fit (405),
// then the caller must be known (401), in the order the real server checks them.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson, type VendorCall } from '../kit/mod.ts';
import type { Caller } from './authentication.ts';
import { ingest } from './ingestion.ts';
import { queryMetrics } from './metrics.ts';
import { createModel, mediaUpload, projectsOf, serverVersion } from './miscellany.ts';
import { listObservations } from './observations.ts';
import { acceptExport, type IntakeParts } from './otlp-intake.ts';
import type { PromptStore } from './prompt-store.ts';
import { createPrompt, deletePrompt, listPrompts, patchLabels, readPrompt } from './prompts.ts';
import { goneInEventsOnly, invalidData, LangfuseError, namedError } from './reply.ts';
import { listScores, parseScore, type ScoreStore } from './scores.ts';

export interface Stores extends IntakeParts {
  readonly prompts: PromptStore;
  readonly scores: ScoreStore;
}

export interface Ask {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: VendorCall;
  readonly caller: Caller;
  readonly stores: Stores;
  /** Decoded path parameters. */
  readonly path: readonly string[];
  /** The parsed JSON body; undefined when the request has none. */
  readonly json: () => Promise<unknown>;
}

export interface Route {
  readonly path: RegExp;
  /** `open`: answers anyone; `scores`: also a caller with only a public key; `project`: the project's own keys. */
  readonly access: 'open' | 'scores' | 'project';
  /** Whether authentication errors carry the `error` member. */
  readonly namedErrors: boolean;
  readonly methods: Readonly<Record<string, (ask: Ask) => Promise<void> | void>>;
}

const jsonAnswer =
  (status: number, body: (ask: Ask) => unknown) =>
  async (ask: Ask): Promise<void> => {
    sendJson(ask.response, status, await body(ask));
  };

const at = (path: string): RegExp => new RegExp(`^/api/public/${path.replaceAll(':', '([^/]+)')}$`);
const project = { access: 'project', namedErrors: false } as const;
const status = { status: 'OK', version: serverVersion };
const gone = (): never => {
  throw goneInEventsOnly();
};

const goneRoutes = [
  'traces',
  'traces/:',
  'observations',
  'observations/:',
  'sessions',
  'sessions/:',
  'v2/scores',
  'v2/scores/:',
  'metrics',
  'metrics/daily',
];

export const routes: readonly Route[] = [
  { path: at('health'), access: 'open', namedErrors: false, methods: { GET: jsonAnswer(200, () => status) } },
  { path: at('ready'), access: 'open', namedErrors: false, methods: { GET: jsonAnswer(200, () => status) } },
  { path: at('projects'), access: 'scores', namedErrors: false, methods: { GET: jsonAnswer(200, ownProject) } },
  {
    path: at('otel/v1/traces'),
    ...project,
    methods: {
      POST: jsonAnswer(200, ({ request, call, caller, stores }) =>
        acceptExport(request, call, { caller, parts: stores }),
      ),
    },
  },
  { path: at('otel/v1/metrics'), ...project, methods: { POST: jsonAnswer(200, () => ({ message: 'OK' })) } },
  {
    path: at('ingestion'),
    access: 'scores',
    namedErrors: true,
    methods: {
      POST: jsonAnswer(207, async ({ json, caller, stores }) =>
        ingest(await json(), { projectId: caller.project.id, scores: stores.scores }),
      ),
    },
  },
  {
    path: at('v2/observations'),
    ...project,
    methods: {
      GET: jsonAnswer(200, ({ call, caller, stores }) =>
        listObservations(call.url, { projectId: caller.project.id, store: stores.store }),
      ),
    },
  },
  {
    path: at('v2/metrics'),
    ...project,
    methods: {
      GET: jsonAnswer(200, ({ call, caller, stores }) =>
        queryMetrics(call.url, { projectId: caller.project.id, store: stores.store }),
      ),
    },
  },
  {
    path: at('v3/scores'),
    ...project,
    methods: {
      GET: jsonAnswer(200, ({ call, caller, stores }) =>
        listScores(call.url, { projectId: caller.project.id, store: stores.scores }),
      ),
    },
  },
  { path: at('scores'), ...project, access: 'scores', methods: { GET: gone, POST: jsonAnswer(200, createScore) } },
  {
    path: at('v2/prompts'),
    access: 'project',
    namedErrors: true,
    methods: {
      GET: jsonAnswer(200, (ask) => listPrompts(ask.call.url.searchParams, promptsOf(ask))),
      POST: jsonAnswer(201, async (ask) => createPrompt(await ask.json(), promptsOf(ask), ask.call)),
    },
  },
  {
    path: at('prompts'),
    access: 'project',
    namedErrors: true,
    methods: { GET: jsonAnswer(200, readByQuery) },
  },
  {
    path: at('v2/prompts/:'),
    access: 'project',
    namedErrors: true,
    methods: {
      GET: jsonAnswer(200, (ask) => readPrompt(ask.path[0] ?? '', ask.call.url.searchParams, promptsOf(ask))),
      DELETE: (ask) => {
        deletePrompt(ask.path[0] ?? '', promptsOf(ask), ask.call);
        ask.response.writeHead(204).end();
      },
    },
  },
  { path: at('v2/prompts/:/versions/:'), ...project, methods: { PATCH: jsonAnswer(200, patch) } },
  {
    path: at('media'),
    ...project,
    methods: {
      POST: jsonAnswer(201, async ({ json, request, caller }) =>
        mediaUpload(await json(), { baseUrl: `http://${request.headers.host}`, projectId: caller.project.id }),
      ),
    },
  },
  { path: at('media/:'), ...project, methods: { PATCH: jsonAnswer(200, () => ({})) } },
  { path: at('models'), ...project, methods: { POST: jsonAnswer(200, async ({ json }) => createModel(await json())) } },
  {
    path: at('llm-connections'),
    ...project,
    methods: {
      GET: jsonAnswer(200, () => ({ data: [], meta: { page: 1, limit: 50, totalItems: 0, totalPages: 0 } })),
    },
  },
  {
    path: /^\/media-store\/([^/]+)\/([^/]+)$/,
    access: 'open',
    namedErrors: false,
    methods: {
      PUT: async ({ call, response }) => {
        await call.body();
        response.writeHead(201).end();
      },
    },
  },
  ...goneRoutes.map((path) => ({ path: at(path), ...project, methods: { GET: gone } })),
];

function ownProject({ caller }: Ask): unknown {
  if (caller.access === 'project') return projectsOf(caller);
  throw new LangfuseError(403, { message: 'Invalid API key. Are you using an organization key?' });
}

async function createScore({ json, caller, stores, call }: Ask): Promise<unknown> {
  const score = parseScore(await json());
  if (!score.success) throw invalidData(score.error);
  const id = stores.scores.store(caller.project.id, score.data);
  call.effect('score-stored', id);
  return { id };
}

function readByQuery(ask: Ask): unknown {
  const query = new URLSearchParams(ask.call.url.searchParams);
  const name = query.get('name');
  query.delete('name');
  if (name === null) throw namedError(400, 'Invalid request data', 'InvalidRequestError');
  return readPrompt(name, query, promptsOf(ask));
}

async function patch(ask: Ask): Promise<unknown> {
  const [name = '', version = ''] = ask.path;
  return patchLabels({ name, version }, { body: await ask.json(), from: promptsOf(ask), call: ask.call });
}

function promptsOf({ caller, stores }: Ask): { projectId: string; store: PromptStore } {
  return { projectId: caller.project.id, store: stores.prompts };
}
