// Reads OTLP/protobuf trace exports into the OTLP/JSON shape: ids as hex, 64-bit integers as strings, bytes as base64.
// Field numbers are from opentelemetry-proto v1 (trace, common, resource, collector/trace).

import protobuf from 'protobufjs/light.js';

const int32 = 'uint32';
const keyValues = { type: 'KeyValue', rule: 'repeated' } as const;

const root = protobuf.Root.fromJSON({
  nested: {
    Export: { fields: { resourceSpans: { type: 'ResourceSpans', id: 1, rule: 'repeated' } } },
    ResourceSpans: {
      fields: {
        resource: { type: 'Resource', id: 1 },
        scopeSpans: { type: 'ScopeSpans', id: 2, rule: 'repeated' },
        schemaUrl: { type: 'string', id: 3 },
      },
    },
    Resource: { fields: { attributes: { ...keyValues, id: 1 }, droppedAttributesCount: { type: int32, id: 2 } } },
    ScopeSpans: {
      fields: {
        scope: { type: 'Scope', id: 1 },
        spans: { type: 'Span', id: 2, rule: 'repeated' },
        schemaUrl: { type: 'string', id: 3 },
      },
    },
    Scope: {
      fields: {
        name: { type: 'string', id: 1 },
        version: { type: 'string', id: 2 },
        attributes: { ...keyValues, id: 3 },
        droppedAttributesCount: { type: int32, id: 4 },
      },
    },
    Span: {
      fields: {
        traceId: { type: 'bytes', id: 1 },
        spanId: { type: 'bytes', id: 2 },
        traceState: { type: 'string', id: 3 },
        parentSpanId: { type: 'bytes', id: 4 },
        flags: { type: 'fixed32', id: 16 },
        name: { type: 'string', id: 5 },
        kind: { type: 'int32', id: 6 },
        startTimeUnixNano: { type: 'fixed64', id: 7 },
        endTimeUnixNano: { type: 'fixed64', id: 8 },
        attributes: { ...keyValues, id: 9 },
        droppedAttributesCount: { type: int32, id: 10 },
        events: { type: 'Event', id: 11, rule: 'repeated' },
        droppedEventsCount: { type: int32, id: 12 },
        links: { type: 'Link', id: 13, rule: 'repeated' },
        droppedLinksCount: { type: int32, id: 14 },
        status: { type: 'Status', id: 15 },
      },
    },
    Event: {
      fields: {
        timeUnixNano: { type: 'fixed64', id: 1 },
        name: { type: 'string', id: 2 },
        attributes: { ...keyValues, id: 3 },
        droppedAttributesCount: { type: int32, id: 4 },
      },
    },
    Link: {
      fields: {
        traceId: { type: 'bytes', id: 1 },
        spanId: { type: 'bytes', id: 2 },
        traceState: { type: 'string', id: 3 },
        attributes: { ...keyValues, id: 4 },
        droppedAttributesCount: { type: int32, id: 5 },
        flags: { type: 'fixed32', id: 6 },
      },
    },
    Status: { fields: { message: { type: 'string', id: 2 }, code: { type: 'int32', id: 3 } } },
    KeyValue: { fields: { key: { type: 'string', id: 1 }, value: { type: 'AnyValue', id: 2 } } },
    AnyValue: {
      oneofs: {
        value: {
          oneof: ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'arrayValue', 'kvlistValue', 'bytesValue'],
        },
      },
      fields: {
        stringValue: { type: 'string', id: 1 },
        boolValue: { type: 'bool', id: 2 },
        intValue: { type: 'int64', id: 3 },
        doubleValue: { type: 'double', id: 4 },
        arrayValue: { type: 'ArrayValue', id: 5 },
        kvlistValue: { type: 'KeyValueList', id: 6 },
        bytesValue: { type: 'bytes', id: 7 },
      },
    },
    ArrayValue: { fields: { values: { type: 'AnyValue', id: 1, rule: 'repeated' } } },
    KeyValueList: { fields: { values: { ...keyValues, id: 1 } } },
  },
});

/** The reflected `ExportTraceServiceRequest`. */
export const exportMessage = root.lookupType('Export');

/** `resourceSpans` of a protobuf export in OTLP/JSON form. Throws when the bytes are no such message. */
export function decodeProtobufExport(bytes: Uint8Array): unknown[] {
  const message = exportMessage.toObject(exportMessage.decode(bytes), { longs: String });
  const resourceSpans = (message['resourceSpans'] ?? []) as unknown[];
  for (const span of spansIn(resourceSpans)) {
    for (const field of ['traceId', 'spanId', 'parentSpanId']) hexField(span, field);
    for (const link of (span['links'] ?? []) as Record<string, unknown>[]) {
      for (const field of ['traceId', 'spanId']) hexField(link, field);
    }
  }
  base64Bytes(resourceSpans);
  return resourceSpans;
}

function* spansIn(resourceSpans: unknown[]): Generator<Record<string, unknown>> {
  for (const resource of resourceSpans as { scopeSpans?: { spans?: Record<string, unknown>[] }[] }[]) {
    for (const scope of resource.scopeSpans ?? []) yield* scope.spans ?? [];
  }
}

function hexField(holder: Record<string, unknown>, field: string): void {
  const value = holder[field];
  if (!(value instanceof Uint8Array)) return;
  if (value.length === 0) delete holder[field];
  else holder[field] = Buffer.from(value).toString('hex');
}

/** What is still bytes after the ids is a `bytesValue`: base64 in OTLP/JSON. */
function base64Bytes(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    if (member instanceof Uint8Array) (value as Record<string, unknown>)[key] = Buffer.from(member).toString('base64');
    else base64Bytes(member);
  }
}
