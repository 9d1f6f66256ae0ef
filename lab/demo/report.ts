// The demo's report: what was measured, and which promise held.

import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { systemClock } from '#base';
import type { TrafficSummary } from '../traffic/mod.ts';
import {
  actsOf,
  actsUnderOldEpoch,
  begunAndCut,
  cutRows,
  evidenceValid,
  exchangesOf,
  exchangeSpans,
  firingsAt,
  firingsInEvidence,
  lateActs,
  readRows,
  readSpans,
  tally,
} from './judge.ts';
import { runOf, statusOf, type RunView, type Stage } from './stage.ts';
import { driftNow, type Moved, type Replicated } from './story.ts';

export interface Told {
  readonly replicated: Replicated;
  readonly lostAtMs: number;
  readonly failover: Moved;
  readonly failback: Moved;
  readonly epochBefore: string;
  readonly summary: TrafficSummary;
  readonly rowsFile: string;
}

export interface PromiseHeld {
  readonly promise: string;
  readonly held: boolean;
  readonly detail: string;
}

const deliveryTimeoutMs = 90_000;
const answersAgainMs = 10_000;

export async function buildReport(stage: Stage, told: Told) {
  const rows = await readRows(told.rowsFile);
  const exchanges = exchangesOf(rows);
  const cut = cutRows(rows);
  const begun = begunAndCut(rows);
  const expected = [
    ...exchanges.map((entry) => entry.traceId),
    ...begun.map((row) => row.answeredTraceId ?? row.traceId),
  ];
  const spans = await deliveredSpans(stage, expected);
  const failover = await runOf(stage, told.failover.view.run);
  const failback = await runOf(stage, told.failback.view.run);
  const cutover = atCutover(failover, { traceIds: expected, partner: exchangeSpans(spans.partner) });
  const files = [failover, failback].flatMap((view) =>
    [view.sealed, ...view.addenda].flatMap((file) => (file ? [file.file] : [])),
  );
  const folder = join(stage.lab.layout.directory, 'partner', 'evidence');
  const trusted = readFileSync(join(stage.lab.layout.directory, 'keys', 'seal.pub.pem'), 'utf8');
  const evidence = await evidenceValid(files, folder, trusted);
  const listed = await firingsInEvidence(files);
  const acts = await actsOf(stage);
  const fencedAtMs = fenceTime(failover);
  const double = await firingsAt(stage, 'home', { fromMs: fencedAtMs, toMs: fenceTime(failback) });
  const drift = await driftNow(stage);
  const late = lateActs(
    acts,
    [failover, failback].map((view) => ({ epoch: view.epoch, atMs: fenceTime(view) })),
  );
  const final = { home: tally(expected, spans.home), partner: tally(expected, spans.partner) };
  const firstAfter = Math.min(
    ...rows.flatMap((row) =>
      row.outcome.kind === 'answered' &&
      row.outcome.site === 'partner' &&
      row.outcome.mode !== 'no-write' &&
      row.endedAtMs >= told.failover.lastApprovalAtMs
        ? [row.endedAtMs]
        : [],
    ),
  );
  const report = {
    traffic: {
      sent: told.summary.sent,
      answered: told.summary.answered,
      byRung: told.summary.byRung,
      bySite: told.summary.bySite,
      errors: { ...told.summary.errors, frontDoor: told.summary.frontDoorErrors, unknown: told.summary.unknownErrors },
      errorsWithoutEnvelope: told.summary.errorsWithoutEnvelope,
      cutByRegionLoss: {
        beforeAnswer: cut.filter((row) => row.outcome.kind === 'cut-before-answer').length,
        midStream: cut.filter((row) => row.outcome.kind === 'cut-mid-stream').length,
      },
      secondsFromLastApprovalToAnswers: (firstAfter - told.failover.lastApprovalAtMs) / 1_000,
    },
    telemetry: { exchanges: expected.length, atCutover: cutover.report, final },
    replication: {
      ...told.replicated,
      driftAfter: told.replicated.driftAfter + drift.count,
      twins: told.replicated.twins + drift.twins,
    },
    failover: moveReport(failover),
    failback: moveReport(failback),
    fencing: {
      epochBefore: told.epochBefore,
      epochAfter: (await statusOf(stage)).epoch,
      actsUnderOldEpoch: actsUnderOldEpoch(acts).length,
      lateActs: late.length,
      doubleFirings: double.length,
      acceptedInEvidence: listed.filter((firing) => firing.accepted !== null).length,
    },
    evidence: { file: failover.sealed?.file ?? null, valid: evidence.valid, files, problems: evidence.problems },
  };
  const movedAtMs = endOf(failover, 'traffic');
  const cutWrong = begun.filter((row) => !isJournaledCut(row, exchangeSpans(spans.home)));
  const promises: PromiseHeld[] = [
    promise(
      'every answer of a gateway without an answer in it has the envelope',
      report.traffic.errorsWithoutEnvelope === 0,
      `${report.traffic.errorsWithoutEnvelope} without`,
    ),
    promise(
      'each declared rung answered',
      ['model', 'other-region', 'backup', 'message'].every((rung) => (report.traffic.byRung[rung] ?? 0) > 0),
      JSON.stringify(report.traffic.byRung),
    ),
    promise(
      'every exchange is found in both Langfuses',
      final.home.missing + final.partner.missing === 0,
      `missing: home ${final.home.missing}, partner ${final.partner.missing}`,
    ),
    promise(
      'no exchange is found twice',
      final.home.duplicates + final.partner.duplicates === 0,
      `duplicates: home ${final.home.duplicates}, partner ${final.partner.duplicates}`,
    ),
    promise('the region was lost with requests running', cut.length > 0, `${cut.length} cut`),
    promise(
      'whatever was cut was sent before traffic moved',
      cut.every((row) => row.startedAtMs < movedAtMs),
      `${cut.filter((row) => row.startedAtMs >= movedAtMs).length} later`,
    ),
    promise(
      'what was cut after the gateway had begun is journaled as such',
      cutWrong.length === 0,
      `${cutWrong.length} of ${begun.length} are not`,
    ),
    promise(
      'what was missing at the cut-over lies inside the reported RPO bound',
      cutover.outside === 0,
      `${cutover.report.missingInPartner} missing, ${cutover.outside} outside the bound`,
    ),
    promise(
      'no drift and no twins',
      report.replication.driftAfter === 0 && report.replication.twins === 0,
      `drift ${report.replication.driftAfter}, twins ${report.replication.twins}`,
    ),
    promise(
      'the partner’s jobs were held until the failover',
      told.replicated.heldAtPartner,
      'asked of the workspace itself',
    ),
    promise(
      'no act under an old epoch',
      report.fencing.actsUnderOldEpoch === 0,
      `${report.fencing.actsUnderOldEpoch} acts`,
    ),
    promise(
      'the returned region fired, and every double firing is listed as accepted',
      double.length > 0 && double.length === report.fencing.acceptedInEvidence,
      `${double.length} fired, ${report.fencing.acceptedInEvidence} accepted in the evidence`,
    ),
    promise(
      'the evidence verifies',
      evidence.valid,
      evidence.problems.join(', ') || `${files.length} files and the register`,
    ),
    promise(
      'failover and failback completed',
      failover.outcome === 'completed' && failback.outcome === 'completed',
      `${failover.outcome}, ${failback.outcome}`,
    ),
    promise(
      'answers flow again within 10 s of the last approval',
      firstAfter - told.failover.lastApprovalAtMs < answersAgainMs,
      `${report.traffic.secondsFromLastApprovalToAnswers} s`,
    ),
  ];
  return { ...report, promises };
}

function promise(what: string, held: boolean, detail: string): PromiseHeld {
  return { promise: what, held, detail };
}

/** Waits until both Langfuses hold everything (or time is up), then reads them once more. */
async function deliveredSpans(stage: Stage, expected: readonly string[]) {
  const deadlineMs = systemClock.monotonicMs() + deliveryTimeoutMs;
  for (;;) {
    const spans = await readSpans(stage);
    const missing = tally(expected, spans.home).missing + tally(expected, spans.partner).missing;
    if (missing === 0 || systemClock.monotonicMs() > deadlineMs) return spans;
    await systemClock.sleep(500);
  }
}

function isJournaledCut(
  row: { traceId: string; answeredTraceId?: string },
  spans: ReadonlyMap<string, { outcome: string | null }>,
): boolean {
  const outcome = spans.get(row.answeredTraceId ?? row.traceId)?.outcome;
  // `answered`: the close was durable and the region died before the client had read its end.
  return outcome === 'interrupted' || outcome === 'answered' || outcome === 'truncated';
}

function atCutover(
  failover: RunView,
  truth: {
    traceIds: readonly string[];
    partner: ReadonlyMap<string, { storedAtMs: number; startTimeMs: number }>;
  },
) {
  const movedAtMs = endOf(failover, 'traffic');
  const rpo = failover.summary['rpo'] as Record<string, { boundSeconds: number | null }>;
  const boundSeconds = rpo['telemetry']?.boundSeconds ?? 0;
  const fencedAtMs = fenceTime(failover);
  const before = truth.traceIds.flatMap((traceId) => {
    const span = truth.partner.get(traceId);
    return span && span.startTimeMs < fencedAtMs ? [span] : [];
  });
  const missing = before.filter((span) => span.storedAtMs > movedAtMs);
  const outside = missing.filter((span) => span.startTimeMs < fencedAtMs - boundSeconds * 1_000).length;
  return {
    outside,
    report: {
      provenInPartner: before.length - missing.length,
      missingInPartner: missing.length,
      rpoBoundSeconds: boundSeconds,
    },
  };
}

function moveReport(view: RunView) {
  const { summary } = view;
  return {
    runId: view.run,
    outcome: view.outcome,
    rtoSeconds: summary['rtoSeconds'],
    predictedAzureSeconds: summary['predictedAzureSeconds'],
    rpo: summary['rpo'],
    steps: summary['steps'],
  };
}

function endOf(view: RunView, step: 'traffic' | 'fence'): number {
  const found = view.steps[step];
  return found?.status === 'finished' ? found.endedAtMs : Number.NaN;
}

function fenceTime(view: RunView): number {
  const found = view.steps.fence;
  return found?.status === 'finished' ? Number(found.facts['fencedAtMs']) : Number.NaN;
}
