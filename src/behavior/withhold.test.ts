import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Route } from '#stamp';
import { withholdTools } from './withhold.ts';

const declared: Route['tools'] = [
  { name: 'find', effect: 'read' },
  { name: 'change', effect: 'write' },
];
const tool = (name: string) => ({ type: 'function', function: { name, parameters: {} } });
const custom = (name: string) => ({ type: 'custom', custom: { name } });
const messages = [{ role: 'user', content: 'hello' }];

describe('outside no-write mode', () => {
  test('the request is left as it is', () => {
    const body = { model: 'm', messages, tools: [tool('change')], tool_choice: 'required' };
    assert.deepEqual(withholdTools(body, declared, false), { body, withheld: [] });
  });
});

describe('in no-write mode', () => {
  test('tools that write, and unknown ones, are taken out', () => {
    const body = {
      messages,
      tools: [tool('find'), tool('change'), tool('mystery'), custom('change')],
      tool_choice: 'auto',
    };
    const { body: sent, withheld, refusal } = withholdTools(body, declared, true);
    assert.deepEqual(sent, { messages, tools: [tool('find')], tool_choice: 'auto' });
    assert.deepEqual(withheld, ['change', 'mystery']);
    assert.equal(refusal, undefined);
    assert.equal(body.tools.length, 4, 'the given request is not changed');
  });

  test('what has no readable name is taken out', () => {
    const { body, withheld } = withholdTools(
      { tools: [null, 'find', { type: 'web_search' }, tool('find')] },
      declared,
      true,
    );
    assert.deepEqual(body, { tools: [tool('find')] });
    assert.deepEqual(withheld, ['unnamed']);
  });

  test('a request without tools that write is the same object', () => {
    const body = { messages, tools: [tool('find')], tool_choice: tool('find') };
    assert.equal(withholdTools(body, declared, true).body, body);
    const plain = { messages };
    assert.equal(withholdTools(plain, declared, true).body, plain);
  });

  test('when no tool is left, what depends on tools goes too', () => {
    const body = { messages, tools: [tool('change')], tool_choice: 'auto', parallel_tool_calls: false };
    assert.deepEqual(withholdTools(body, declared, true), { body: { messages }, withheld: ['change'] });
  });

  test('the older functions are treated alike', () => {
    const body = { messages, functions: [{ name: 'change' }], function_call: 'auto' };
    assert.deepEqual(withholdTools(body, declared, true), { body: { messages }, withheld: ['change'] });
    const forced = withholdTools({ ...body, function_call: { name: 'change' } }, declared, true);
    assert.equal(forced.refusal?.param, 'function_call');
  });

  test('a forced choice of a withheld tool is refused', () => {
    for (const choice of [tool('change'), custom('change'), tool('mystery'), { type: 'function' }]) {
      const { refusal } = withholdTools({ tools: [tool('find'), tool('change')], tool_choice: choice }, declared, true);
      assert.equal(refusal?.code, 'tool_withheld');
      assert.equal(refusal.param, 'tool_choice');
    }
  });

  test('a required call is refused only when no tool is left for it', () => {
    const some = withholdTools({ tools: [tool('find'), tool('change')], tool_choice: 'required' }, declared, true);
    assert.deepEqual(some.body, { tools: [tool('find')], tool_choice: 'required' });
    const none = withholdTools({ tools: [tool('change')], tool_choice: 'required' }, declared, true);
    assert.equal(none.refusal?.code, 'tool_withheld');
  });

  test('a list of allowed tools loses the withheld ones', () => {
    const request = (mode: string, ...names: string[]) => ({
      tools: [tool('find'), tool('change')],
      tool_choice: { type: 'allowed_tools', allowed_tools: { mode, tools: names.map(tool) } },
    });
    const some = withholdTools(request('auto', 'find', 'change'), declared, true);
    assert.deepEqual(some.body['tool_choice'], request('auto', 'find').tool_choice);
    assert.equal(withholdTools(request('auto', 'change'), declared, true).body['tool_choice'], 'none');
    assert.equal(withholdTools(request('required', 'change'), declared, true).refusal?.param, 'tool_choice');
  });

  test('tools that are not a list are refused rather than passed on unread', () => {
    assert.equal(withholdTools({ tools: { 0: tool('change') } }, declared, true).refusal?.code, 'invalid_type');
  });

  test('a name declared as both reading and writing is withheld', () => {
    const both: Route['tools'] = [
      { name: 'change', effect: 'write' },
      { name: 'change', effect: 'read' },
    ];
    assert.deepEqual(withholdTools({ tools: [tool('change')] }, both, true).withheld, ['change']);
  });

  test('whatever is sent, no tool that writes passes', () => {
    const name = fc.constantFrom('find', 'change', 'mystery', '');
    const entry = fc.oneof(name.map(tool), name.map(custom), fc.jsonValue());
    const choice = fc.oneof(fc.constantFrom('auto', 'none', 'required'), entry, fc.constant(undefined));
    fc.assert(
      fc.property(fc.array(entry), choice, (tools, toolChoice) => {
        const { body, refusal } = withholdTools({ tools, tool_choice: toolChoice }, declared, true);
        if (refusal) return;
        const sent = (body['tools'] ?? []) as unknown[];
        const allowed = [tool('find'), custom('find')].map((each) => JSON.stringify(each));
        for (const each of sent) assert.ok(allowed.includes(JSON.stringify(each)), JSON.stringify(each));
        assert.ok(tools.length === 0 || body['tools'] === undefined || sent.length > 0, 'no empty list is made');
      }),
    );
  });
});
