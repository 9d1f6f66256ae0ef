import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Failure } from '#base';
import { notebookTask } from './fixture.ts';
import {
  act,
  createJob,
  failureOf,
  furnish,
  job,
  jobNamed,
  openStage,
  read,
  schedule,
  synchronise,
  type Stage,
} from './stage.ts';

async function stageOf(context: TestContext): Promise<Stage> {
  const stage = await openStage();
  context.after(() => stage.close());
  return stage;
}

test('hold and release keep what the owner wants: paused on purpose stays paused', async (context) => {
  const { home, connector } = await stageOf(context);
  await furnish(home);
  const before = await connector.schedules('home', read);
  assert.deepEqual(
    before.map(({ job, form, paused, wantedPaused, after }) => ({ job, form, paused, wantedPaused, after })),
    [
      { job: 'nightly', form: 'schedule', paused: false, wantedPaused: false, after: ['inner'] },
      { job: 'resting', form: 'schedule', paused: true, wantedPaused: true, after: [] },
    ],
  );
  for (const { job } of before) await connector.hold('home', job, read);
  const held = await connector.schedules('home', read);
  assert.deepEqual(
    held.map(({ job, paused, wantedPaused }) => [job, paused, wantedPaused]),
    [
      ['nightly', true, false],
      ['resting', true, true],
    ],
  );
  const effects = home.effects().length;
  for (const { job } of before) await connector.hold('home', job, read);
  assert.equal(home.effects().length, effects, 'holding twice changes nothing');

  for (const { job } of before) await connector.release('home', job, act());
  assert.deepEqual(await connector.schedules('home', read), before);
  assert.equal('understudy_wanted' in ((await jobNamed(home, 'nightly')).settings['tags'] as object), false);
  const released = home.effects().length;
  for (const { job } of before) await connector.release('home', job, act());
  assert.equal(home.effects().length, released, 'releasing twice changes nothing');
});

test('holding is no act and carries no epoch; releasing is one, and is refused without the right', async (context) => {
  const { home, connector } = await stageOf(context);
  await createJob(home, { name: 'nightly', schedule });
  await connector.hold('home', 'nightly', read);
  const fenced = {
    ...act('run_1/schedules/nachtlauf-ü/1.7'),
    assertMayAct: () => {
      throw new Failure('ACT_FENCED', 'no lease');
    },
  };
  assert.equal((await failureOf(connector.release('home', 'nightly', fenced))).code, 'ACT_FENCED');
  await connector.release('home', 'nightly', act('run_1/schedules/nachtlauf-ü/1.7'));
  const writes = home.ledger.askedAfter(0).filter((row) => row.path.endsWith('/jobs/update'));
  assert.deepEqual(
    writes.map((row) => [row.epoch, row.act]),
    [
      [null, null],
      ['1.7', 'run_1/schedules/nachtlauf-%C3%BC/1.7'],
    ],
  );
  assert.equal((await failureOf(connector.hold('home', 'ghost', read))).code, 'DATABRICKS_JOB_MISSING');
});

test('continuous jobs and namesakes: a fence holds every one, a release never guesses', async (context) => {
  const { home, connector } = await stageOf(context);
  const tasks = [notebookTask('/Shared/stamp/ghost')];
  await createJob(home, { name: 'stream', continuous: {}, tasks });
  await createJob(home, { name: 'stream', schedule, tasks });
  await connector.hold('home', 'stream', read);
  assert.deepEqual(
    (await connector.schedules('home', read)).map(({ form, paused }) => [form, paused]),
    [
      ['continuous', true],
      ['schedule', true],
    ],
  );
  assert.equal((await failureOf(connector.release('home', 'stream', act()))).code, 'DATABRICKS_AMBIGUOUS_JOB');
});

test('runsSince gives every run of the time, over all pages, with its trigger', async (context) => {
  const { home, connector } = await stageOf(context);
  await furnish(home);
  const { jobId } = await jobNamed(home, 'smoke');
  const { settings } = await jobNamed(home, 'smoke');
  const many = { job_id: jobId, new_settings: { ...settings, max_concurrent_runs: 100 } };
  await home.ok(home.post('/api/2.2/jobs/reset', many));
  const ids = new Set<string>();
  for (let index = 0; index < 45; index++) {
    ids.add(String((await home.ok(home.post('/api/2.2/jobs/run-now', { job_id: jobId })))['run_id']));
  }
  const runs = await connector.runsSince('home', 0, read);
  assert.deepEqual(new Set(runs.map((run) => run.runId)), ids);
  assert.deepEqual([runs[0]?.job, runs[0]?.trigger], ['smoke', 'ONE_TIME']);
  const latest = Math.max(...runs.map((run) => run.startedAtMs));
  assert.deepEqual(await connector.runsSince('home', latest + 1, read), []);
});

test('the smoke job really runs in the standby, once per act, even when the answer is lost', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await furnish(home);
  await synchronise(connector, 'home', 'partner');
  partner.faults.replace([{ kind: 'lose-answer', match: 'run-now', times: 1 }]);
  const first = await connector.smoke('partner', act('drill_1/smoke'));
  assert.equal(first.verdict, 'pass', first.detail);
  const again = await connector.smoke('partner', act('drill_1/smoke'));
  assert.equal(again.runId, first.runId);
  assert.equal(partner.effects('job-run-started').length, 1);
  const other = await connector.smoke('partner', act('drill_2/smoke'));
  assert.notEqual(other.runId, first.runId);
});

test('a smoke job that fails, or that is not there, is a finding that says how to mend it', async (context) => {
  const { partner, connector } = await stageOf(context);
  const missing = await connector.smoke('partner', act());
  assert.deepEqual([missing.verdict, missing.detail], ['fail', 'it does not exist']);
  await createJob(partner, { name: 'smoke', tasks: [notebookTask('/Shared/stamp/ghost')] });
  const failed = await connector.smoke('partner', act());
  assert.equal(failed.verdict, 'fail');
  assert.match(failed.detail, /FAILED .*Unable to access the notebook/);
  assert.match(failed.mend ?? '', /partner/);
});

test('a probe passes on a furnished site and names what is missing on a bare one', async (context) => {
  const { home, partner, connector } = await stageOf(context);
  await furnish(home);
  assert.deepEqual(
    (await connector.probe('home', read)).map((finding) => finding.verdict),
    ['pass', 'pass', 'pass', 'pass'],
  );
  const bare = await connector.probe('partner', read);
  assert.equal(bare.at(-1)?.verdict, 'fail');
  assert.match(bare.at(-1)?.mend ?? '', /smokeJob/);
  partner.faults.replace([
    { kind: 'status', status: 403, headers: {}, body: '{"error_code":403,"message":"Invalid access token."}' },
  ]);
  const [token, ...rest] = await connector.probe('partner', read);
  assert.deepEqual([token?.verdict, rest.length], ['fail', 0]);
  assert.match(token?.mend ?? '', /env:PARTNER_TOKEN/);
  await partner.close();
  const [gone] = await connector.probe('partner', read);
  assert.deepEqual([gone?.verdict, gone?.detail.includes('cannot be reached')], ['fail', true]);
});

test('429 is waited out as the vendor asks, without a header by backing off, and never for too long', async (context) => {
  const { home, partner, connector, waits } = await stageOf(context);
  await createJob(home, { name: 'nightly', schedule });
  const limited = (headers: Record<string, string>, times: number): void =>
    partner.faults.replace([{ kind: 'status', status: 429, headers, body: '{}', match: 'jobs/create', times }]);
  limited({ 'retry-after': '7' }, 2);
  await connector.apply(job('nightly'), act());
  assert.deepEqual(waits, [7_000, 7_000]);
  assert.equal(partner.effects('job-created').length, 1);

  await createJob(home, { name: 'second' });
  limited({}, 2);
  await connector.apply(job('second'), act());
  assert.equal(waits.length, 4);
  assert.ok(waits.slice(2).every((wait) => wait >= 125 && wait <= 500));

  await createJob(home, { name: 'third' });
  limited({ 'retry-after': '3600' }, 1);
  const failure = await failureOf(connector.apply(job('third'), act()));
  assert.deepEqual(
    [failure.code, failure.next, failure.details['waitMs']],
    ['DATABRICKS_RATE_LIMITED', 'retry', 3_600_000],
  );
});

test('reads survive cut connections and bad gateways; nonsense is named; the token never shows', async (context) => {
  const { home, connector } = await stageOf(context);
  await createJob(home, { name: 'nightly', schedule });
  home.faults.replace([
    { kind: 'lose-answer', times: 1 },
    { kind: 'status', status: 502, headers: {}, body: '<html>', times: 1, skip: 1 },
  ]);
  assert.equal((await connector.schedules('home', read)).length, 1);
  home.faults.replace([{ kind: 'status', status: 400, headers: {}, body: 'not json' }]);
  assert.equal((await failureOf(connector.schedules('home', read))).code, 'DATABRICKS_REFUSED');
  home.faults.replace([{ kind: 'status', status: 500, headers: {}, body: '{}' }]);
  const failure = await failureOf(connector.schedules('home', read));
  assert.equal(failure.code, 'DATABRICKS_UNREACHABLE');
  assert.equal(JSON.stringify([failure.message, failure.details, failure.stack]).includes('dapi-owner'), false);
});

test('a workspace that hangs is given up when the caller says so', async (context) => {
  const { home, connector } = await stageOf(context);
  home.faults.replace([{ kind: 'black-hole' }]);
  const controller = new AbortController();
  const pending = connector.schedules('home', { signal: controller.signal });
  controller.abort(new Failure('RUN_ABORTED', 'a person said so'));
  assert.equal((await failureOf(pending)).code, 'RUN_ABORTED');
});

test('a call that is never answered ends at its deadline; a write has then an unknown outcome', async (context) => {
  const stage = await openStage({ callDeadlineMs: 60 });
  context.after(() => stage.close());
  const { home, partner, connector } = stage;
  await createJob(home, { name: 'nightly', schedule });
  partner.faults.replace([{ kind: 'black-hole', match: 'jobs/create' }]);
  assert.equal((await failureOf(connector.apply(job('nightly'), act()))).code, 'DATABRICKS_UNKNOWN_OUTCOME');
  const deadlines: number[] = [];
  partner.faults.replace([]);
  await connector.apply(job('nightly'), { ...act(), assertMayAct: (deadlineMs) => deadlines.push(deadlineMs) });
  assert.deepEqual(deadlines, [60]);
});

test('a token is read again once it is refused, and its refusal says what to renew', async (context) => {
  const stage = await stageOf(context);
  const { connector, tokens } = stage;
  await connector.schedules('home', read);
  tokens['env:HOME_TOKEN'] = 'dapi-wrong';
  await connector.schedules('home', read);
  const fresh = stage.again();
  const failure = await failureOf(fresh.schedules('home', read));
  assert.deepEqual([failure.code, failure.details['status']], ['DATABRICKS_REFUSED', 403]);
  tokens['env:HOME_TOKEN'] = 'dapi-owner';
  await fresh.schedules('home', read);
});

test('a write whose answer was lost never ends as if nothing had happened', async (context) => {
  const { home, connector } = await stageOf(context);
  await createJob(home, { name: 'nightly', schedule });
  home.faults.replace([
    { kind: 'lose-answer', match: 'jobs/update', times: 1 },
    { kind: 'status', status: 429, headers: { 'retry-after': '3600' }, body: '{}', match: 'jobs/update', skip: 1 },
  ]);
  assert.equal((await failureOf(connector.hold('home', 'nightly', read))).code, 'DATABRICKS_UNKNOWN_OUTCOME');
  home.faults.replace([]);
  await connector.hold('home', 'nightly', read);
  assert.equal(home.effects('job-updated').length, 1, 'it had taken effect and is not repeated');
});
