// How Langfuse turns an OpenTelemetry span into an observation: `langfuse.*` attributes first, then `gen_ai.*`.
// Follows the server's OtelIngestionProcessor (4.16) for the attributes that LLM applications send.

import { isRecord } from '#base';
import type { SpanInExport } from './otlp-validate.ts';
import {
  attributesOf,
  dateText,
  first,
  idText,
  isTrue,
  microseconds,
  numbersOf,
  optionalNumber,
  optionalText,
  parsed,
  tagsOf,
  textOf,
  type Attributes,
} from './otlp-values.ts';

export interface Observation {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  /** Microseconds since the Unix epoch: the precision of the store. */
  readonly startUs: number;
  readonly endUs: number | null;
  readonly name: string;
  readonly type: string;
  readonly environment: string;
  readonly isRoot: boolean;
  readonly level: string;
  readonly version: string | null;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly detail: ObservationDetail;
}

/** What is only shown, never searched by. */
export interface ObservationDetail {
  readonly statusMessage: string | null;
  readonly input: string | null;
  readonly output: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly model: string | null;
  readonly modelParameters: unknown;
  readonly usage: Readonly<Record<string, number>>;
  readonly cost: Readonly<Record<string, number>>;
  readonly completionStartTime: string | null;
  readonly promptName: string | null;
  readonly promptVersion: number | null;
  readonly traceName: string | null;
  readonly tags: readonly string[];
  readonly release: string | null;
  readonly public: boolean;
}

/** Undefined for a span whose times cannot be read: the real worker fails on it after the 200. */
export function observationOf({ span, scope, resource }: SpanInExport): Observation | undefined {
  const attributes = attributesOf(span['attributes']);
  const resourceAttributes = attributesOf(resource['attributes']);
  const startUs = microseconds(span['startTimeUnixNano']);
  if (startUs === undefined) return undefined;
  const parent = idText(span['parentSpanId']);
  const status = isRecord(span['status']) ? span['status'] : {};
  const failed = status['code'] === 2 || status['code'] === 'STATUS_CODE_ERROR';
  return {
    traceId: idText(span['traceId']),
    spanId: idText(span['spanId']),
    parentSpanId: parent === '' ? null : parent,
    startUs,
    endUs: microseconds(span['endTimeUnixNano']) ?? null,
    name: typeof span['name'] === 'string' ? span['name'] : '',
    type: typeOf(attributes),
    environment: textOf(
      first(attributes, 'langfuse.environment', 'deployment.environment.name', 'deployment.environment') ??
        first(resourceAttributes, 'langfuse.environment', 'deployment.environment.name', 'deployment.environment') ??
        'default',
    ),
    isRoot: parent === '' || isTrue(attributes['langfuse.internal.is_app_root']),
    level: textOf(attributes['langfuse.observation.level'] ?? (failed ? 'ERROR' : 'DEFAULT')),
    version: optionalText(attributes['langfuse.version'] ?? resourceAttributes['service.version']),
    userId: optionalText(first(attributes, 'user.id', 'langfuse.user.id')),
    sessionId: optionalText(first(attributes, 'session.id', 'langfuse.session.id', 'gen_ai.conversation.id')),
    detail: detailOf(attributes, { resourceAttributes, scope, status }),
  };
}

interface Around {
  readonly resourceAttributes: Attributes;
  readonly scope: Readonly<Record<string, unknown>>;
  readonly status: Readonly<Record<string, unknown>>;
}

function detailOf(attributes: Attributes, around: Around): ObservationDetail {
  return {
    statusMessage: optionalText(attributes['langfuse.observation.status_message'] ?? around.status['message']),
    input: optionalText(first(attributes, 'langfuse.observation.input', 'gen_ai.input.messages', 'input.value')),
    output: optionalText(first(attributes, 'langfuse.observation.output', 'gen_ai.output.messages', 'output.value')),
    metadata: metadataOf(attributes, around),
    model: optionalText(
      first(attributes, 'langfuse.observation.model.name', 'gen_ai.response.model', 'gen_ai.request.model'),
    ),
    modelParameters: parsed(attributes['langfuse.observation.model.parameters']) ?? null,
    usage: usageOf(attributes),
    cost: numbersOf(parsed(attributes['langfuse.observation.cost_details'])),
    completionStartTime: dateText(attributes['langfuse.observation.completion_start_time']),
    promptName: optionalText(attributes['langfuse.observation.prompt.name']),
    promptVersion: optionalNumber(attributes['langfuse.observation.prompt.version']),
    traceName: optionalText(attributes['langfuse.trace.name']),
    tags: tagsOf(attributes['langfuse.trace.tags']),
    release: optionalText(attributes['langfuse.release'] ?? around.resourceAttributes['langfuse.release']),
    public: isTrue(attributes['langfuse.trace.public']),
  };
}

function typeOf(attributes: Attributes): string {
  const declared = attributes['langfuse.observation.type'];
  if (typeof declared === 'string' && declared !== '') return declared.toUpperCase();
  switch (attributes['gen_ai.operation.name']) {
    case 'chat':
    case 'completion':
    case 'text_completion':
    case 'generate_content':
      return 'GENERATION';
    case 'embeddings':
      return 'EMBEDDING';
    case 'execute_tool':
      return 'TOOL';
    case 'invoke_agent':
    case 'create_agent':
      return 'AGENT';
    default:
      return first(attributes, 'langfuse.observation.model.name', 'gen_ai.request.model', 'gen_ai.response.model')
        ? 'GENERATION'
        : 'SPAN';
  }
}

/** Langfuse's usage wins; else the gen_ai counters, with cached and reasoning tokens taken out of input and output. */
function usageOf(attributes: Attributes): Record<string, number> {
  const declared = numbersOf(parsed(attributes['langfuse.observation.usage_details']));
  if (Object.keys(declared).length > 0) return declared;
  const input = optionalNumber(first(attributes, 'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens'));
  const output = optionalNumber(first(attributes, 'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens'));
  if (input === null && output === null) return {};
  const cached = optionalNumber(attributes['gen_ai.usage.cache_read.input_tokens']) ?? 0;
  const reasoning = optionalNumber(attributes['gen_ai.usage.reasoning.output_tokens']) ?? 0;
  return {
    input: Math.max(0, (input ?? 0) - cached),
    output: Math.max(0, (output ?? 0) - reasoning),
    ...(cached > 0 ? { input_cached_tokens: cached } : {}),
    ...(reasoning > 0 ? { output_reasoning_tokens: reasoning } : {}),
    total: (input ?? 0) + (output ?? 0),
  };
}

const metadataPrefixes = ['langfuse.observation.metadata.', 'langfuse.trace.metadata.'];

/** Declared metadata by its own keys; every other attribute under `attributes.`, `resourceAttributes.` and `scope.`. */
function metadataOf(attributes: Attributes, around: Around): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const whole of ['langfuse.trace.metadata', 'langfuse.observation.metadata']) {
    const value = parsed(attributes[whole]);
    if (isRecord(value)) for (const [key, member] of Object.entries(value)) metadata[key] = textOf(member);
  }
  for (const [key, value] of Object.entries(attributes)) {
    const prefix = metadataPrefixes.find((candidate) => key.startsWith(candidate));
    if (prefix) metadata[key.slice(prefix.length)] = textOf(value);
    else if (!key.startsWith('langfuse.')) metadata[`attributes.${key}`] = textOf(value);
  }
  for (const [key, value] of Object.entries(around.resourceAttributes)) {
    metadata[`resourceAttributes.${key}`] = textOf(value);
  }
  for (const key of ['name', 'version']) {
    const value = around.scope[key];
    if (typeof value === 'string' && value !== '') metadata[`scope.${key}`] = value;
  }
  return metadata;
}
