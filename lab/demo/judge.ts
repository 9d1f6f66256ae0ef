// Judges the demo from the simulated vendors' own ledgers and the client's own rows, never from Understudy's counters.

import { readFile } from 'node:fs/promises';
import { compareEpochs, parseEpoch, sites, type Epoch, type Site } from '#base';
import { verifyEvidence, verifyRegister } from '#evidence';
import type { EffectRow } from '../kit/mod.ts';
import { readLabSpans, type LabSpan } from '../langfuse/mod.ts';
import type { TrafficRow } from '../traffic/mod.ts';
import type { Stage } from './stage.ts';

export async function readRows(file: string): Promise<TrafficRow[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TrafficRow);
}

/** Exchanges the client knows of: each must be found once in each Langfuse. */
export function exchangesOf(rows: readonly TrafficRow[]): { traceId: string; row: TrafficRow }[] {
  return rows
    .filter(({ outcome }) => {
      if (outcome.kind === 'answered') return true;
      return outcome.kind === 'error-with-envelope' && outcome.origin === 'gateway';
    })
    .map((row) => ({ traceId: row.answeredTraceId ?? row.traceId, row }));
}

/** Rows cut although the gateway had begun: journaled and shipped as such. */
export function begunAndCut(rows: readonly TrafficRow[]): TrafficRow[] {
  return rows.filter(
    ({ outcome }) => outcome.kind === 'cut-mid-stream' || (outcome.kind === 'cut-before-answer' && outcome.begun),
  );
}

export function cutRows(rows: readonly TrafficRow[]): TrafficRow[] {
  return rows.filter(({ outcome }) => outcome.kind === 'cut-mid-stream' || outcome.kind === 'cut-before-answer');
}

export type SpansBySite = Readonly<Record<Site, readonly LabSpan[]>>;

export async function readSpans(stage: Stage): Promise<SpansBySite> {
  const [home, partner] = await Promise.all(sites.map((site) => readLabSpans(stage.lab.url(`langfuse-${site}`))));
  return { home: home ?? [], partner: partner ?? [] };
}

/** The span of the exchange itself, by trace. */
export function exchangeSpans(spans: readonly LabSpan[]): Map<string, LabSpan> {
  return new Map(
    spans.filter((span) => span.outcome !== null && span.exchange !== null).map((span) => [span.traceId, span]),
  );
}

export interface Found {
  readonly found: number;
  readonly missing: number;
  readonly duplicates: number;
}

export function tally(traceIds: readonly string[], spans: readonly LabSpan[]): Found {
  const byTrace = exchangeSpans(spans);
  const found = traceIds.filter((traceId) => byTrace.has(traceId)).length;
  return {
    found,
    missing: traceIds.length - found,
    duplicates: spans.filter((span) => span.readableRows > 1).length,
  };
}

// ---- fencing -------------------------------------------------------------------------------------------------------

interface Act {
  readonly vendor: string;
  readonly atMs: number;
  readonly epoch: Epoch;
  readonly type: string;
  readonly key: string;
}

/** Every effect at any vendor that carried an epoch, in the order of its time. */
export async function actsOf(stage: Stage): Promise<Act[]> {
  const vendors = stage.lab.plans.filter(
    (plan) => !plan.script.endsWith('understudy.mjs') && !plan.name.startsWith('storage-') && plan.name !== 'identity',
  );
  const all = await Promise.all(
    vendors.map(async (plan) => (await stage.lab.effects(plan.name)).flatMap((effect) => asAct(plan.name, effect))),
  );
  return all.flat().sort((a, b) => a.atMs - b.atMs);
}

function asAct(vendor: string, effect: EffectRow): Act[] {
  const epoch = effect.epoch === null ? undefined : parseEpoch(effect.epoch);
  // An act is made when its call arrives; a streamed answer may end much later.
  return epoch ? [{ vendor, atMs: effect.askedAtMs ?? effect.atMs, epoch, type: effect.type, key: effect.key }] : [];
}

/** Acts that took effect under an older epoch after one under a newer epoch had taken effect anywhere. */
export function actsUnderOldEpoch(acts: readonly Act[]): Act[] {
  let newest: Epoch | undefined;
  const late: Act[] = [];
  for (const act of acts) {
    if (newest && compareEpochs(act.epoch, newest) < 0) late.push(act);
    else newest = act.epoch;
  }
  return late;
}

/** Acts under the old epoch that took effect after the ledger had moved on: at most the calls in flight. */
export function lateActs(acts: readonly Act[], moves: readonly { epoch: Epoch; atMs: number }[]): Act[] {
  return acts.filter((act) => moves.some((move) => compareEpochs(act.epoch, move.epoch) < 0 && act.atMs > move.atMs));
}

/** What a fenced workspace fired by itself between its fence and the moment the other side's schedules were released again. */
export async function firingsAt(
  stage: Stage,
  site: Site,
  span: { fromMs: number; toMs: number },
): Promise<EffectRow[]> {
  const started = await stage.lab.effects(`databricks-${site}`, { type: 'job-run-started' });
  return started.filter((effect) => effect.askedId === null && effect.atMs >= span.fromMs && effect.atMs < span.toMs);
}

// ---- evidence ------------------------------------------------------------------------------------------------------

export async function evidenceValid(
  files: readonly string[],
  folder: string,
  trusted: string,
): Promise<{ valid: boolean; problems: string[] }> {
  const problems: string[] = [];
  for (const file of files) {
    const found = await verifyEvidence(file, { trustedPublicKeyPem: trusted });
    for (const problem of found.problems) problems.push(`${file}:${problem.line} ${problem.code}`);
  }
  const register = await verifyRegister(folder);
  for (const problem of register.problems) problems.push(`register:${problem.line} ${problem.code}`);
  return { valid: problems.length === 0 && register.entries > 0, problems };
}

/** Firings that the evidence lists, each with the reason for which its double execution was accepted. */
export async function firingsInEvidence(files: readonly string[]): Promise<{ job: string; accepted: string | null }[]> {
  const all = await Promise.all(files.map(async (file) => (await readFile(file, 'utf8')).trimEnd().split('\n')));
  return all.flat().flatMap((line) => {
    const entry = JSON.parse(line) as { type: string; body: { firings?: { job: string; accepted: string | null }[] } };
    return entry.type === 'fact' ? (entry.body.firings ?? []) : [];
  });
}
