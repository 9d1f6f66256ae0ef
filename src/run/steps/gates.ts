// Steps 2 to 7: the gates. They look at the standby and leave the active region untouched.

import { describeError, randomHex, type Finding, type Site } from '#base';
import type { DependencyDrift } from '#replication';
import type { StoredObservation } from '#connectors';
import { failed, passed, resultOf, unclear, type StepContext, type StepResult } from '../step.ts';
import { driftFindings } from './drift-findings.ts';

const listingTimeoutMs = 60_000;
const smokeTimeoutMs = 120_000;
const markerTimeoutMs = 30_000;
const probeTimeoutMs = 30_000;
const canaryTimeoutMs = 180_000;

/** Step 2: workspace and job artifacts; every schedule of the standby held; a declared smoke job really started. */
export async function gateArtifacts(context: StepContext): Promise<StepResult> {
  const { to } = context.state().plan;
  const findings = await driftOf(context, ['artifacts']);
  const schedules = await context.world.schedules.schedules(to, context.reading(listingTimeoutMs));
  const awake = schedules.filter((schedule) => !schedule.paused).map((schedule) => schedule.job);
  findings.push(
    awake.length === 0
      ? passed(`schedules at ${to}`, `all ${schedules.length} are held`)
      : failed(`schedules at ${to}`, `not held: ${awake.join(', ')}`, 'run `understudy sync`, which holds them'),
  );
  const smoke = await context.world.schedules.smoke(to, await context.act('smoke', smokeTimeoutMs));
  findings.push(smoke);
  return resultOf(findings, smoke.runId === undefined ? {} : { residue: [`smoke job run ${smoke.runId} at ${to}`] });
}

/** Step 3: secrets compared, a token really fetched from the standby, storage compared and written to. */
export async function gateSecrets(context: StepContext): Promise<StepResult> {
  const { world } = context;
  const { to } = context.state().plan;
  const findings = await driftOf(context, ['secrets', 'storage']);
  findings.push(...(await world.agents[to].probe('identity', context.reading(probeTimeoutMs))));
  const probe = await context.act('storage-probe', probeTimeoutMs);
  findings.push(await world.storageProbe(to, { signal: probe.signal, act: probe.act }));
  return resultOf(findings);
}

/** Step 4: a marker trace written to the standby's Langfuse and read back; prompts compared. */
export async function gateTelemetry(context: StepContext): Promise<StepResult> {
  const { world } = context;
  const { to } = context.state().plan;
  const findings = await driftOf(context, ['prompts']);
  const traceId = randomHex(16, world.randomness);
  const spanId = randomHex(8, world.randomness);
  const startedMs = world.clock.wallMs();
  const subject = `marker trace in the Langfuse of ${to}`;
  try {
    const reading = context.reading(markerTimeoutMs);
    await world.traces.export(to, markerExport({ traceId, spanId, startedMs, run: context.log.run }), reading);
    const found = await readBack(context, { to, traceId, spanId });
    findings.push(
      found
        ? passed(subject, `written and read back: ${traceId}`)
        : failed(subject, 'it was accepted and cannot be read back', 'mend the ingestion worker; a 200 is no proof'),
    );
  } catch (error) {
    context.signal.throwIfAborted();
    findings.push(failed(subject, describeError(error), 'mend the standby Langfuse'));
  }
  return resultOf(findings, { comparedAtMs: startedMs, residue: [`trace ${traceId} at ${to}`] });
}

/** Step 5: every model endpoint reached from inside the standby. */
export async function gateEgress(context: StepContext): Promise<StepResult> {
  const { to } = context.state().plan;
  return resultOf(await context.world.agents[to].probe('egress', context.reading(probeTimeoutMs)));
}

/** Step 6: canary prompts through the standby's gateway. It proves the mechanism, no more. */
export async function gateCanary(context: StepContext): Promise<StepResult> {
  const { to } = context.state().plan;
  const result = await context.world.canary(to, context.reading(canaryTimeoutMs));
  const residue = result.prompts.flatMap((prompt) => (prompt.traceId ? [`trace ${prompt.traceId}`] : []));
  return resultOf(result.findings, { residue });
}

/** Step 7: rate limit and outage on the rehearsal lane; the declared rung must answer. */
export async function gateFallback(context: StepContext): Promise<StepResult> {
  const { to } = context.state().plan;
  const result = await context.world.fallback(to, context.reading(canaryTimeoutMs));
  return resultOf(result.findings, { residue: result.traceIds.map((traceId) => `trace ${traceId}`) });
}

async function driftOf(context: StepContext, dataSets: readonly DependencyDrift['dataSet'][]): Promise<Finding[]> {
  const { plan } = context.state();
  const all = await context.world.replicator.drift(plan.from, context.reading(listingTimeoutMs));
  const wanted = all.filter((drift) => dataSets.includes(drift.dataSet));
  if (wanted.length === 0) return [unclear('drift', `no dependency holds ${dataSets.join(' or ')}`, 'declare one')];
  return wanted.flatMap((drift) => driftFindings(drift, plan.targets.driftAllowance));
}

async function readBack(context: StepContext, marker: { to: Site; traceId: string; spanId: string }): Promise<boolean> {
  const { clock, traces } = context.world;
  const deadlineMs = clock.monotonicMs() + markerTimeoutMs / 2;
  while (clock.monotonicMs() < deadlineMs) {
    const found: readonly StoredObservation[] = await traces.observationsOfTrace(
      marker.to,
      marker.traceId,
      context.reading(probeTimeoutMs),
    );
    if (found.some((observation) => observation.id === marker.spanId)) return true;
    await clock.sleep(150, context.signal);
  }
  return false;
}

function markerExport(marker: { traceId: string; spanId: string; startedMs: number; run: string }): string {
  const nanoseconds = `${marker.startedMs}000000`;
  const text = (key: string, value: string): object => ({ key, value: { stringValue: value } });
  const span = {
    traceId: marker.traceId,
    spanId: marker.spanId,
    name: 'understudy marker',
    kind: 1,
    startTimeUnixNano: nanoseconds,
    endTimeUnixNano: nanoseconds,
    attributes: [
      text('langfuse.environment', 'understudy-drill'),
      text('langfuse.trace.name', 'understudy marker'),
      text('langfuse.observation.metadata.run', marker.run),
    ],
  };
  const resource = { attributes: [text('service.name', 'understudy')] };
  return JSON.stringify({
    resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'understudy' }, spans: [span] }] }],
  });
}
