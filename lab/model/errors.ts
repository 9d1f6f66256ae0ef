// OpenAI's error envelope and the errors this simulator gives. Wording, types and codes follow replies of api.openai.com
// as users quoted them in public issue threads, named beside each group; where only a message was quoted, code is null.

export interface ErrorEnvelope {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
    readonly [more: string]: unknown;
  };
}

/** A refusal: thrown by the validation, sent by the handler. */
export class Refusal extends Error {
  readonly status: number;
  readonly envelope: ErrorEnvelope;

  constructor(status: number, error: Partial<ErrorEnvelope['error']> & { message: string }) {
    super(error.message);
    this.status = status;
    this.envelope = { error: { type: 'invalid_request_error', param: null, code: null, ...error } };
  }
}

export function invalid(message: string, where: { param?: string; code?: string } = {}): Refusal {
  return new Refusal(400, { message, param: where.param ?? null, code: where.code ?? null });
}

// A missing key has no code, a wrong one has (github.com/continuedev/continue/issues/10253); the vendor echoes the key
// with its middle hidden, so the simulator does too: a gateway must not pass that on.
export function missingKey(): Refusal {
  return new Refusal(401, {
    message:
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
  });
}

export function wrongKey(key: string): Refusal {
  const shown = key.length <= 12 ? '*'.repeat(key.length) : `${key.slice(0, 8)}${'*'.repeat(16)}${key.slice(-4)}`;
  return new Refusal(401, {
    message: `Incorrect API key provided: ${shown}. You can find your API key at https://platform.openai.com/account/api-keys.`,
    code: 'invalid_api_key',
  });
}

// github.com/rd-1-2022/ai-openai-helloworld/issues/9
export function modelNotFound(model: string): Refusal {
  return new Refusal(404, {
    message: `The model \`${model}\` does not exist or you do not have access to it.`,
    code: 'model_not_found',
  });
}

// github.com/ChatGPTNextWeb/NextChat/issues/4064
export function unparsableBody(): Refusal {
  return invalid(
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble figuring out how to fix this, please contact us through our help center at help.openai.com.)",
  );
}

// Two forms are in use for keys the endpoint does not know. The older, "Unrecognized request argument supplied: x" with
// param and code null (github.com/nashsu/llm_wiki/issues/336), and the newer one simulated here
// (github.com/teabranch/open-responses-server/issues/41). Both are a 400 that no retry mends.
export function unknownParameter(param: string): Refusal {
  return invalid(`Unknown parameter: '${param}'.`, { param, code: 'unknown_parameter' });
}

// github.com/ServiceNow/TapeAgents/issues/66
export function missingParameter(param: string): Refusal {
  return invalid(`Missing required parameter: '${param}'.`, { param, code: 'missing_required_parameter' });
}

export function invalidType(param: string, expected: string, got: unknown): Refusal {
  return invalid(`Invalid type for '${param}': expected ${expected}, but got ${typeName(got)} instead.`, {
    param,
    code: 'invalid_type',
  });
}

export function invalidValue(param: string, got: unknown, supported: readonly string[]): Refusal {
  if (typeof got !== 'string') return invalidType(param, `one of ${supported.join(', ')}`, got);
  const quoted = supported.map((value) => `'${value}'`);
  const list = quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')}, and ${quoted.at(-1)}`;
  return invalid(`Invalid value: '${got}'. Supported values are: ${list}.`, { param, code: 'invalid_value' });
}

// github.com/openai/openai-node/pull/1341; code as in github.com/vllm-project/vllm/pull/39780
export function emptyArray(param: string): Refusal {
  return invalid(
    `Invalid '${param}': empty array. Expected an array with minimum length 1, but got an empty array instead.`,
    { param, code: 'empty_array' },
  );
}

// github.com/anomalyco/opencode/pull/48857
export function onlyWithTools(param: string): Refusal {
  return invalid(`Invalid value for '${param}': '${param}' is only allowed when 'tools' are specified.`, { param });
}

// github.com/crewAIInc/crewAI-examples/issues/121
export function contextTooLong(tokensMax: number, tokens: number): Refusal {
  return invalid(
    `This model's maximum context length is ${tokensMax} tokens. However, your messages resulted in ${tokens} tokens. Please reduce the length of the messages.`,
    { param: 'messages', code: 'context_length_exceeded' },
  );
}

export const serverError: ErrorEnvelope = {
  error: {
    message: 'The server had an error while processing your request. Sorry about that!',
    type: 'server_error',
    param: null,
    code: null,
  },
};

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal';
  return `a ${typeof value}`;
}
