// The storage connector against Microsoft's own emulator.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { codeOf, Failure } from '#base';
import type { Artifact, Change } from '#connectors';
import { actContext } from '../key-vault/testing.ts';
import { storageFixture, type StorageFixture } from './testing.ts';

const context = { signal: new AbortController().signal };
let fixture: StorageFixture;
before(async () => {
  fixture = await storageFixture();
  await fixture
    .service('home')
    .getContainerClient('features')
    .create({ metadata: { owner: 'genai' } });
});
after(() => fixture.close());

function put(site: 'home' | 'partner', name: string, content: string): Promise<unknown> {
  const client = fixture.service(site).getContainerClient('features').getBlockBlobClient(name);
  return client.upload(content, Buffer.byteLength(content), {
    blobHTTPHeaders: { blobContentType: 'text/csv' },
    metadata: { source: 'test' },
  });
}

function change(kind: string, key: string, action: Change['action'] = 'create'): Change {
  return { action, kind, key, from: 'home', to: 'partner' };
}

async function artifactAt(site: 'home' | 'partner', key: string): Promise<Artifact | undefined> {
  const { artifacts } = await fixture.connector.inventory(site, 'leading', context);
  return artifacts.find((artifact) => artifact.key === key);
}

function writes(method: string, path: string): number {
  return fixture.asked.filter((line) => line === `${method} /labaccount/${path}`).length;
}

void test('a container, then a blob with headers and metadata, are carried; applying twice writes once', async () => {
  await put('home', 'daily/a.csv', 'x;y');
  await fixture.connector.apply(change('container', 'features'), actContext());
  await fixture.connector.apply(change('blob', 'features/daily/a.csv'), actContext());
  await fixture.connector.apply(change('container', 'features'), actContext());
  await fixture.connector.apply(change('blob', 'features/daily/a.csv'), actContext());
  assert.equal(writes('PUT', 'features'), 1);
  assert.equal(writes('PUT', 'features/daily/a.csv'), 1);
  for (const key of ['features', 'features/daily/a.csv']) {
    assert.equal((await artifactAt('partner', key))?.digest, (await artifactAt('home', key))?.digest);
  }
  const there = fixture.service('partner').getContainerClient('features').getBlobClient('daily/a.csv');
  const properties = await there.getProperties();
  assert.deepEqual([properties.contentType, properties.metadata], ['text/csv', { source: 'test' }]);
  assert.equal((await there.downloadToBuffer()).toString(), 'x;y');
});

void test('other content is drift, and is mended over the version that was seen', async () => {
  await put('partner', 'daily/a.csv', 'changed');
  assert.notEqual(
    (await artifactAt('partner', 'features/daily/a.csv'))?.digest,
    (await artifactAt('home', 'features/daily/a.csv'))?.digest,
  );
  await fixture.connector.apply(change('blob', 'features/daily/a.csv', 'update'), actContext());
  assert.equal(
    (await artifactAt('partner', 'features/daily/a.csv'))?.digest,
    (await artifactAt('home', 'features/daily/a.csv'))?.digest,
  );
});

void test('an upload whose answer was lost is looked up and not repeated', async () => {
  await put('home', 'lost.csv', '1');
  fixture.loseAnswerOf('PUT');
  await fixture.connector.apply(change('blob', 'features/lost.csv'), actContext());
  assert.equal(writes('PUT', 'features/lost.csv'), 1);
});

void test('a blob put together from blocks has no MD5 of its own and still compares', async () => {
  const client = fixture.service('home').getContainerClient('features').getBlockBlobClient('blocks.bin');
  const id = Buffer.from('block-1').toString('base64');
  await client.stageBlock(id, 'abc', 3);
  await client.commitBlockList([id]);
  await fixture.connector.apply(change('blob', 'features/blocks.bin'), actContext());
  assert.equal(
    (await artifactAt('partner', 'features/blocks.bin'))?.digest,
    (await artifactAt('home', 'features/blocks.bin'))?.digest,
  );
});

void test('what is too large, or no block blob, is listed with the reason and not carried', async () => {
  await put('home', 'large.bin', 'z'.repeat(1_001));
  await fixture.service('home').getContainerClient('features').getAppendBlobClient('log').create();
  const large = await artifactAt('home', 'features/large.bin');
  assert.equal(large?.class, 'listed');
  assert.match(large?.reason ?? '', /1001 bytes, above blobBytesMax \(1000\)/);
  assert.match((await artifactAt('home', 'features/log'))?.reason ?? '', /AppendBlob/);
  const applying = fixture.connector.apply(change('blob', 'features/large.bin'), actContext());
  await assert.rejects(applying, (error) => codeOf(error) === 'STORAGE_NOT_CARRIED');
});

void test('a deletion is a change that says so; without the right to act nothing is sent', async () => {
  const fenced = actContext({
    assertMayAct() {
      throw new Failure('ACT_FENCED', 'the lease has run out');
    },
  });
  const deletion = change('blob', 'features/lost.csv', 'delete');
  await assert.rejects(fixture.connector.apply(deletion, fenced), (error) => codeOf(error) === 'ACT_FENCED');
  assert.equal(writes('DELETE', 'features/lost.csv'), 0);
  await fixture.connector.apply(deletion, actContext());
  await fixture.connector.apply(deletion, actContext());
  assert.equal(writes('DELETE', 'features/lost.csv'), 1);
});

void test('the write-read probe leaves nothing behind, and makes no container', async () => {
  const probe = () => fixture.connector.writeReadProbe('partner', { ...context, act: 'run_1/gate-secrets/1.1' });
  const without = await probe();
  assert.deepEqual(
    [without.verdict, without.mend],
    ['fail', 'create an empty container understudy-probe in this account'],
  );
  const container = fixture.service('partner').getContainerClient('understudy-probe');
  assert.equal(await container.exists(), false);
  await container.create();
  assert.equal((await probe()).verdict, 'pass');
  fixture.loseAnswerOf('PUT');
  assert.equal((await probe()).verdict, 'error');
  const left: string[] = [];
  for await (const blob of container.listBlobsFlat()) left.push(blob.name);
  assert.deepEqual(left, []);
});

void test('the probe names what is missing', async () => {
  const findings = await fixture.connector.probe('partner', context);
  assert.deepEqual(
    findings.map(({ subject, verdict }) => [subject, verdict]),
    [
      ['container features at partner', 'pass'],
      ['container absent at partner', 'fail'],
      ['container understudy-probe at partner', 'pass'],
    ],
  );
});

void test('killed right after an acknowledged write and started again, the account has forgotten nothing', async () => {
  await put('home', 'just-written.csv', 'durable');
  await fixture.restart('home');
  assert.ok(await artifactAt('home', 'features/just-written.csv'));
});
