// Turns a finished run into evidence, and later facts into addenda.

import { createPublicKey } from 'node:crypto';
import { resolve } from 'node:path';
import { digestOf } from '#base';
import { enterInRegister, evidenceFile, sealEvidence, type EvidenceContent, type Sealed } from '#evidence';
import { factsOf, rpoOf, rtoOf, type RunLog, type RunState } from '#run';
import { predictedAzureSeconds } from '#runbook';
import type { SecretReader, Stamp } from '#stamp';

export interface SealSources {
  readonly stamp: Stamp;
  readonly directory: string;
  readonly secrets: SecretReader;
}

/** Seals a finished run, once: a second call finds the seal in the log. */
export async function sealRun(log: RunLog, sources: SealSources): Promise<RunState> {
  if (log.state.sealed) return log.state;
  const sealed = await write(log, 0, sources, {
    header: await headerOf(log, sources, 'run'),
    entries: [
      ...log.events.map((event) => ({ type: 'event' as const, body: plain(event) })),
      { type: 'summary' as const, body: plain(summaryOf(log.state)) },
    ],
  });
  return log.append([{ type: 'run-sealed', body: { file: sealed.file, head: sealed.head } }]);
}

/** Seals later facts as an addendum that names the head it adds to. */
export async function sealAddendum(
  log: RunLog,
  addition: { what: string; facts: Readonly<Record<string, unknown>> },
  sources: SealSources,
): Promise<RunState> {
  const number = log.state.addenda.length + 1;
  const adds = log.state.addenda.at(-1)?.head ?? log.state.sealed?.head ?? null;
  const sealed = await write(log, number, sources, {
    header: { ...(await headerOf(log, sources, 'addendum')), addsTo: adds, what: addition.what },
    entries: [{ type: 'fact', body: plain(addition.facts) }],
  });
  const body = { file: sealed.file, head: sealed.head, what: addition.what };
  return log.append([{ type: 'addendum-sealed', body }]);
}

/** What a run amounted to, as views and evidence show it. */
export function summaryOf(state: RunState): Readonly<Record<string, unknown>> {
  return {
    run: state.run,
    kind: state.plan.kind,
    outcome: state.outcome ?? null,
    from: state.plan.from,
    to: state.plan.to,
    rtoSeconds: rtoOf(state) ?? null,
    rtoTargetSeconds: state.plan.targets.rtoSeconds,
    predictedAzureSeconds: predictedAzureSeconds(state.plan),
    rpo: rpoOf(state),
    rpoTargetSeconds: state.plan.targets.rpoSeconds,
    steps: state.plan.steps.map((step) => {
      const found = state.steps[step.id];
      return found?.status === 'finished'
        ? { id: step.id, verdict: found.verdict, seconds: found.seconds, azureSeconds: step.azureSeconds }
        : { id: step.id, verdict: null, seconds: null, azureSeconds: step.azureSeconds };
    }),
    approvals: state.approvals.map((entry) => entry.signed.person),
    acceptedDoubleExecution: factsOf(state, 'schedules')['acceptedDoubleExecution'] ?? [],
    unfenced: factsOf(state, 'fence')['unfenced'] ?? [],
    residue: factsOf(state, 'watch')['residue'] ?? [],
  };
}

async function headerOf(log: RunLog, sources: SealSources, kind: string): Promise<Readonly<Record<string, unknown>>> {
  const { stamp, secrets } = sources;
  const { state } = log;
  const people = await Promise.all(
    stamp.people.map(async (person) => ({
      id: person.id,
      name: person.name,
      kind: person.kind,
      publicKey: createPublicKey(await secrets.read(person.publicKey)).export({ type: 'spki', format: 'pem' }),
    })),
  );
  return {
    evidence: kind,
    run: state.run,
    runKind: state.plan.kind,
    stamp: state.plan.stamp,
    planHash: state.planHash,
    people,
    retention: 'seven years unless the organisation says otherwise',
    scenario: { reason: state.reason, incidentAtMs: state.incidentAtMs, initiator: state.initiator },
    planDigest: digestOf(state.plan),
  };
}

async function write(log: RunLog, number: number, sources: SealSources, content: EvidenceContent): Promise<Sealed> {
  const { evidence } = sources.stamp.control;
  const folder = resolve(sources.directory, evidence.directory);
  const file = evidenceFile(folder, log.run, number);
  const key = { privateKeyPem: await sources.secrets.read(evidence.sealKey), kind: evidence.sealKeyKind };
  const sealed = await sealEvidence(content, { file, key, replaceUnrecorded: true });
  await enterInRegister(sealed, { run: log.run });
  return sealed;
}

function plain(value: unknown): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
}
