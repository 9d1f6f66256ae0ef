import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countsAgainstUpstream, reactionTo, type Fault, type FaultSource, type Reaction } from './mod.ts';

const rows: [number, string, string | undefined, Reaction][] = [
  [400, 'http_400', 'invalid_request_error', 'never'],
  [400, 'content_filter', undefined, 'never'],
  [400, 'context_length_exceeded', 'invalid_request_error', 'never'],
  [400, 'model_not_found', undefined, 'climb'],
  [401, 'invalid_api_key', undefined, 'climb'],
  [402, 'http_402', undefined, 'climb'],
  [403, 'http_403', undefined, 'climb'],
  [403, 'content_policy_violation', undefined, 'never'],
  [404, 'DeploymentNotFound', undefined, 'climb'],
  [408, 'http_408', undefined, 'retry'],
  [409, 'http_409', undefined, 'retry'],
  [413, 'http_413', undefined, 'never'],
  [422, 'http_422', undefined, 'never'],
  [429, 'rate_limit_exceeded', 'requests', 'retry'],
  [429, 'slow_down', undefined, 'retry'],
  [429, 'insufficient_quota', 'insufficient_quota', 'climb'],
  [429, 'credit_balance_exhausted', 'insufficient_quota', 'climb'],
  [429, 'project_spend_limit_exceeded', undefined, 'climb'],
  [500, 'http_500', 'server_error', 'retry'],
  [501, 'http_501', undefined, 'climb'],
  [502, 'http_502', undefined, 'retry'],
  [503, 'server_is_overloaded', undefined, 'retry'],
  [504, 'http_504', undefined, 'retry'],
  [529, 'overloaded_error', 'overloaded_error', 'retry'],
  [302, 'http_302', undefined, 'climb'],
];

for (const [status, code, type, reaction] of rows) {
  test(`HTTP ${status} ${code}: ${reaction}`, () => {
    const fault: Fault = { source: 'status', status, code, message: '', ...(type === undefined ? {} : { type }) };
    assert.equal(reactionTo(fault), reaction);
    assert.equal(countsAgainstUpstream(fault), reaction !== 'never');
  });
}

test('fast failures of the connection are repeated in place, slow ones climb', () => {
  const reactions = (sources: FaultSource[]): Reaction[] =>
    sources.map((source) => reactionTo({ source, code: '', message: '' }));
  assert.deepEqual(new Set(reactions(['connect', 'reset', 'truncated', 'empty'])), new Set(['retry']));
  assert.deepEqual(
    new Set(
      reactions(['connect-timeout', 'first-byte-timeout', 'idle-timeout', 'malformed', 'credential', 'deadline']),
    ),
    new Set(['climb']),
  );
});
