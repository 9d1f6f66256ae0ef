import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { base64, refusedWith, testWorkspace, type TestWorkspace } from './fixture.ts';

const api = '/api/2.0/workspace';
let workspace: TestWorkspace;
before(async () => {
  workspace = await testWorkspace();
});
after(() => workspace.close());

test('a call without a token is 401, with a wrong one 403, and an unknown path 404', async () => {
  const url = `${workspace.url}${api}/list?path=/`;
  const bare = await fetch(url);
  assert.deepEqual([bare.status, ((await bare.json()) as { error_code: unknown }).error_code], [401, 401]);
  const wrong = await fetch(url, { headers: { authorization: 'Bearer dapi-other' } });
  assert.deepEqual([wrong.status, await wrong.json()], [403, { error_code: 403, message: 'Invalid access token.' }]);
  await refusedWith(workspace.get('/api/2.1/jobs/list'), { status: 404, errorCode: 'ENDPOINT_NOT_FOUND' });
  await refusedWith(workspace.post(`${api}/mkdirs`, '{"path":'), { status: 400, errorCode: 'MALFORMED_REQUEST' });
  assert.equal((await workspace.ok(workspace.get('/api/2.0/preview/scim/v2/Me')))['userName'], 'owner@example.com');
});

test('import needs its parent, refuses to overwrite unasked, and export gives the source with its header', async () => {
  const notebook = { path: '/Shared/a/one', format: 'SOURCE', language: 'PYTHON', content: base64('print(1)\n') };
  await refusedWith(workspace.post(`${api}/import`, notebook), {
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
    message: /parent folder \(\/Shared\/a\)/,
  });
  await workspace.ok(workspace.post(`${api}/mkdirs`, { path: '/Shared/a' }));
  await workspace.ok(workspace.post(`${api}/import`, notebook));
  await refusedWith(workspace.post(`${api}/import`, notebook), { status: 400, errorCode: 'RESOURCE_ALREADY_EXISTS' });
  const exported = await workspace.ok(
    workspace.get(`${api}/export`, { path: '/Workspace/Shared/a/one', format: 'SOURCE' }),
  );
  assert.equal(exported['file_type'], 'py');
  const source = Buffer.from(String(exported['content']), 'base64').toString();
  assert.equal(source, '# Databricks notebook source\nprint(1)\n');
  await workspace.ok(workspace.post(`${api}/import`, { ...notebook, content: base64(source), overwrite: true }));
  const again = await workspace.ok(workspace.get(`${api}/export`, { path: '/Shared/a/one' }));
  assert.equal(again['content'], exported['content'], 'the header is not doubled');
});

test('list gives one directory, and no `objects` for an empty one', async () => {
  await workspace.ok(workspace.post(`${api}/mkdirs`, { path: '/Shared/tree/deep' }));
  const shallow = await workspace.ok(workspace.get(`${api}/list`, { path: '/Shared/tree' }));
  assert.deepEqual(
    (shallow['objects'] as { path: string; object_type: string }[]).map((object) => [object.path, object.object_type]),
    [['/Shared/tree/deep', 'DIRECTORY']],
  );
  assert.deepEqual(await workspace.ok(workspace.get(`${api}/list`, { path: '/Shared/tree/deep' })), {});
  await refusedWith(workspace.get(`${api}/list`, { path: '/nowhere' }), {
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
  });
  await refusedWith(workspace.post(`${api}/delete`, { path: '/Shared/tree' }), {
    status: 400,
    errorCode: 'DIRECTORY_NOT_EMPTY',
  });
  await workspace.ok(workspace.post(`${api}/delete`, { path: '/Shared/tree', recursive: true }));
  await refusedWith(workspace.get(`${api}/get-status`, { path: '/Shared/tree/deep' }), {
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
  });
});

test('mkdirs twice is one effect; a notebook is no folder', async () => {
  await workspace.ok(workspace.post(`${api}/mkdirs`, { path: '/Shared/once' }));
  await workspace.ok(workspace.post(`${api}/mkdirs`, { path: '/Shared/once' }));
  const made = workspace.effects('directory-created').filter((effect) => effect.key === '/Shared/once');
  assert.equal(made.length, 1);
  const notebook = { path: '/Shared/once/n', language: 'SQL', content: base64('select 1') };
  await workspace.ok(workspace.post(`${api}/import`, notebook));
  await refusedWith(workspace.post(`${api}/mkdirs`, { path: '/Shared/once/n/below' }), {
    status: 400,
    errorCode: 'RESOURCE_ALREADY_EXISTS',
  });
});

test('content above 10 MB, bad base64 and an unknown language are refused', async () => {
  const notebook = { path: '/Shared/large', format: 'SOURCE', language: 'PYTHON' };
  const large = Buffer.alloc(10 * 1024 * 1024 + 1, 0x61).toString('base64');
  await refusedWith(workspace.post(`${api}/import`, { ...notebook, content: large }), {
    status: 400,
    errorCode: 'MAX_NOTEBOOK_SIZE_EXCEEDED',
  });
  const invalid = { status: 400, errorCode: 'INVALID_PARAMETER_VALUE' };
  await refusedWith(workspace.post(`${api}/import`, { ...notebook, content: '%%%%' }), invalid);
  await refusedWith(workspace.post(`${api}/import`, { ...notebook, language: 'COBOL', content: '' }), invalid);
  assert.equal(
    workspace.effects('notebook-imported').some((effect) => effect.key === '/Shared/large'),
    false,
  );
});
