// For tests of the simulated workspace: a bare HTTP caller, so that the wire itself is judged and no client's kindness.

import assert from 'node:assert/strict';
import { formatExact, parseExact } from './json.ts';
import { startDatabricks, type DatabricksOptions, type RunningDatabricks } from './server.ts';

export const token = 'dapi-owner';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export interface TestWorkspace extends RunningDatabricks {
  get(path: string, query?: Record<string, string>): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
  /** The body of an answer that must be 200. */
  ok(answer: Promise<Answer>): Promise<Record<string, unknown>>;
  effects(type?: string): { key: string; detail: Readonly<Record<string, unknown>>; askedId: number | null }[];
}

export async function testWorkspace(options: Partial<DatabricksOptions> = {}): Promise<TestWorkspace> {
  const vendor = await startDatabricks({
    name: 'databricks-test',
    port: 0,
    dataFile: ':memory:',
    tokens: { [token]: 'owner@example.com' },
    runMs: 20,
    ...options,
  });
  const ask = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(vendor.url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : formatExact(body) }),
    });
    return { status: response.status, body: parseExact(await response.text()) as Answer['body'] };
  };
  return {
    ...vendor,
    get: (path, query = {}) => ask('GET', `${path}?${new URLSearchParams(query).toString()}`),
    post: (path, body) => ask('POST', path, body),
    async ok(answer) {
      const { status, body } = await answer;
      assert.equal(status, 200, formatExact(body));
      return body;
    },
    effects: (type) => vendor.ledger.effectsAfter(0, type === undefined ? {} : { type }),
  };
}

/** Asserts how a call was refused. */
export async function refusedWith(
  answer: Promise<Answer>,
  expected: { status: number; errorCode: string | number; message?: RegExp },
): Promise<void> {
  const { status, body } = await answer;
  assert.deepEqual(
    { status, errorCode: body['error_code'] },
    { status: expected.status, errorCode: expected.errorCode },
  );
  assert.match(String(body['message']), expected.message ?? /./);
}

export function notebookTask(path: string, key = 'main'): Record<string, unknown> {
  return { task_key: key, notebook_task: { notebook_path: path } };
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
