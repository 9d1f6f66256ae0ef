import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { codeOf, Failure } from '#base';
import { actContext } from '../key-vault/testing.ts';
import { startFrontDoor } from './server.ts';
import { armToken, doorFixture, stop, type DoorFixture } from './testing.ts';

const context = { signal: new AbortController().signal };
let fixture: DoorFixture;
before(async () => {
  fixture = await doorFixture();
});
afterEach(async () => {
  fixture.door.faults.replace([]);
  await fixture.connector().move('home', actContext());
});
after(() => fixture.close());

async function arm(path: string, init: RequestInit = {}): Promise<{ status: number; headers: Headers; code: unknown }> {
  const response = await fetch(`${fixture.door.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${armToken}`, 'content-type': 'application/json' },
  });
  const body = (await response.json()) as { error?: { code?: string } };
  return { status: response.status, headers: response.headers, code: body.error?.code };
}

function moves(): { key: string; epoch: string | null; state: unknown }[] {
  return fixture.door.ledger
    .effectsAfter(0, { type: 'origin-state' })
    .map(({ key, epoch, detail }) => ({ key, epoch, state: detail['enabledState'] }));
}

void test('Resource Manager refuses what Azure refuses', async () => {
  const origin = `${fixture.door.originGroup}/origins/home`;
  const anonymous = await fetch(`${fixture.door.url}${origin}?api-version=2025-06-01`);
  assert.equal(anonymous.status, 401);
  assert.deepEqual((await arm(origin)).code, 'MissingApiVersionParameter');
  const unknown = await arm(`${fixture.door.originGroup}/origins/nobody?api-version=2025-06-01`);
  assert.deepEqual([unknown.status, unknown.code], [404, 'ResourceNotFound']);
  const wrong = await arm(`${origin}?api-version=2025-06-01`, {
    method: 'PATCH',
    body: '{"properties":{"enabledState":"On"}}',
  });
  assert.equal(wrong.status, 400);
  const list = await arm(`${fixture.door.originGroup}/origins?api-version=2025-06-01`);
  assert.equal(list.status, 200);
});

void test('a PATCH is accepted first, takes effect later, and excludes a second one meanwhile', async () => {
  const path = `${fixture.door.originGroup}/origins/partner?api-version=2025-06-01`;
  const patch = { method: 'PATCH', body: '{"properties":{"enabledState":"Enabled"}}' };
  const accepted = await arm(path, patch);
  assert.equal(accepted.status, 202);
  const operation = accepted.headers.get('azure-asyncoperation') ?? '';
  assert.deepEqual((await arm(path, patch)).code, 'Conflict');
  const seen = new Set<string>();
  while (!seen.has('Succeeded')) {
    const answer = await fetch(operation, { headers: { authorization: `Bearer ${armToken}` } });
    seen.add(((await answer.json()) as { status: string }).status);
  }
  assert.deepEqual([...seen], ['InProgress', 'Succeeded']);
});

void test('a move enables the new origin, then disables the old one, and is seen from outside', async () => {
  const traffic = fixture.connector();
  assert.equal(await traffic.seenFromOutside(context), 'home');
  const before = moves().length;
  await traffic.move('partner', actContext());
  assert.deepEqual(await traffic.enabled(context), { home: false, partner: true });
  assert.equal(await traffic.seenFromOutside(context), 'partner');
  const expected = [
    { key: 'partner', epoch: '1.2', state: 'Enabled' },
    { key: 'home', epoch: '1.2', state: 'Disabled' },
  ];
  assert.deepEqual(moves().slice(before), expected);
  await traffic.move('partner', actContext());
  assert.deepEqual(moves().slice(before), expected, 'moving again changes nothing');
});

void test('a change whose answer was lost is looked up, not blindly repeated', async () => {
  const before = moves().length;
  fixture.door.faults.replace([{ kind: 'lose-answer', match: '^PATCH .*/partner$', times: 1 }]);
  await fixture.connector().move('partner', actContext());
  assert.deepEqual(
    moves()
      .slice(before)
      .map(({ key }) => key),
    ['partner', 'home'],
  );
});

void test('without the right to act nothing is sent', async () => {
  const before = fixture.door.ledger.askedAfter(0).filter((row) => row.method === 'PATCH').length;
  const fenced = actContext({
    assertMayAct() {
      throw new Failure('ACT_FENCED', 'the lease has run out');
    },
  });
  await assert.rejects(fixture.connector().move('partner', fenced), (error) => codeOf(error) === 'ACT_FENCED');
  assert.equal(fixture.door.ledger.askedAfter(0).filter((row) => row.method === 'PATCH').length, before);
});

void test('a wrong token fails the probe and the move, and shows itself nowhere', async () => {
  const traffic = fixture.connector('a-wrong-token');
  const [finding] = await traffic.probe('partner', context);
  assert.deepEqual([finding?.verdict, /401 InvalidAuthenticationToken/.test(finding?.detail ?? '')], ['fail', true]);
  await assert.rejects(traffic.move('partner', actContext()), (error) => {
    return codeOf(error) === 'TRAFFIC_UNAUTHORIZED' && !String(error).includes('a-wrong-token');
  });
  assert.equal((await fixture.connector().probe('partner', context))[0]?.verdict, 'pass');
});

void test('when no gateway answers, nobody is seen from outside', async () => {
  const dead = await doorFixture();
  await stop(dead.origins.home.server);
  assert.equal(await dead.connector().seenFromOutside(context), undefined);
  await dead.close();
});

void test('origins and a change under way survive a restart', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'understudy-door-'));
  const options = {
    publicPort: 0,
    armPort: 0,
    dataFile: join(directory, 'front-door.sqlite'),
    token: armToken,
    origins: { home: 'http://127.0.0.1:9', partner: 'http://127.0.0.1:9' },
  };
  const first = await startFrontDoor({ ...options, operationMs: 60_000 });
  const path = `${first.originGroup}/origins/partner?api-version=2025-06-01`;
  const headers = { authorization: `Bearer ${armToken}`, 'content-type': 'application/json' };
  await fetch(`${first.url}${path}`, { method: 'PATCH', headers, body: '{"properties":{"enabledState":"Enabled"}}' });
  first.ledger.database.exec('UPDATE operations SET dueAtMs = 0');
  await first.close();
  const second = await startFrontDoor(options);
  let state = '';
  while (state !== 'Enabled') {
    const answer = await fetch(`${second.url}${path}`, { headers });
    state = ((await answer.json()) as { properties: { enabledState: string } }).properties.enabledState;
  }
  assert.equal(second.ledger.effectsAfter(0, { type: 'origin-state' }).length, 1);
  await second.close();
  await rm(directory, { recursive: true });
});
