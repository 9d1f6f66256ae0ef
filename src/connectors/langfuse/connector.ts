// Langfuse: prompts carried from site to site with their numbers, and traces shipped and read back.

import type { Clock, Randomness, Site } from '#base';
import type { DependencyOf, SecretReader } from '#stamp';
import type { ProbedConnector, ReadContext, ReplicatedConnector, TraceStore } from '../port.ts';
import { applyChange } from './apply.ts';
import { defaultLimits, SiteClient, type LangfuseLimits } from './client.ts';
import { PromptMemory, takeInventory } from './inventory.ts';
import { probeSite, readHealth, readMode, type LangfuseMode } from './probe.ts';
import { exportSpans, observationsBetween, observationsOfTrace } from './traces.ts';

export interface LangfuseOptions {
  readonly dependency: DependencyOf<'langfuse'>;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Deadlines and bounds; tests shorten them. */
  readonly limits?: Partial<LangfuseLimits>;
}

export interface LangfuseConnector extends ReplicatedConnector, ProbedConnector, TraceStore {
  /** How the server at a site writes. Rejects with `LANGFUSE_…`. */
  mode(site: Site, context: ReadContext): Promise<LangfuseMode>;
}

/**
 * Prompts as `prompt-version` (`name@3`: type, prompt, config, commit message) and `prompt-labels` (`name`: labels and
 * tags). `apply` rejects with `PROMPT_VERSION_CONFLICT` where numbering makes a version impossible to carry,
 * `PROMPT_IN_USE`, `PROMPT_GONE`, `PROMPT_VERSION_MISSING`, `PROMPT_REFERENCE_MISSING`, `LANGFUSE_OUTCOME_UNKNOWN`, and
 * every call with `LANGFUSE_UNREACHABLE`, `_TIMEOUT`, `_BUSY` (details: retryAfterMs), `_UNAUTHORIZED`, `_REJECTED`,
 * `_TOO_LARGE`, `_NOT_FOUND`, `_CONFLICT`, `_FAILED`, `_UNEXPECTED` or `_UNSUPPORTED`.
 */
export function createLangfuse(options: LangfuseOptions): LangfuseConnector {
  const { dependency, secrets, clock, randomness } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const clientAt = (site: Site): SiteClient => new SiteClient({ dependency, site, secrets, clock, randomness, limits });
  const clients: Readonly<Record<Site, SiteClient>> = { home: clientAt('home'), partner: clientAt('partner') };
  const memories: Readonly<Record<Site, PromptMemory>> = { home: new PromptMemory(), partner: new PromptMemory() };
  return {
    dependency: dependency.id,
    dataSet: 'prompts',
    kinds: ['prompt-version', 'prompt-labels'],
    inventory: (site, _as, context) =>
      takeInventory(site, context, {
        client: clients[site],
        clock,
        memory: memories[site],
        dependency: dependency.id,
      }),
    apply: (change, context) => applyChange(change, context, clients),
    probe: (site, context) => probeSite(clients[site], context),
    mode: (site, context) => readMode(clients[site], context),
    health: (site, context) => readHealth(clients[site], context),
    observations: (site, query, context) => observationsBetween(clients[site], query, context),
    observationsOfTrace: (site, traceId, context) => observationsOfTrace(clients[site], traceId, context),
    export: (site, otlpJson, context) => exportSpans(clients[site], otlpJson, context),
  };
}
