// The OTLP/JSON shapes the telemetry folder writes and reads, with builders that leave absent values out. Field names and
// encodings follow the OTLP specification: ids are lower-case hex, 64-bit integers are decimal strings.

export type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly AnyValue[] } };

export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 internal, 3 client. */
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  /** code 2: error. */
  readonly status?: { readonly code: number; readonly message?: string };
}

/** What can stand in an attribute; undefined leaves the attribute out. A `Double` is written as a double even when whole. */
export type AttributeValue = string | number | boolean | readonly string[] | Double | undefined;

export class Double {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** Attributes in the order given, undefined ones left out: equal input gives equal bytes. */
export function attributesOf(values: Readonly<Record<string, AttributeValue>>): KeyValue[] {
  const attributes: KeyValue[] = [];
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) attributes.push({ key, value: anyValue(value) });
  }
  return attributes;
}

function anyValue(value: NonNullable<AttributeValue>): AnyValue {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (value instanceof Double) return { doubleValue: value.value };
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
  return { arrayValue: { values: value.map((text) => ({ stringValue: text })) } };
}

/** Milliseconds since the epoch, with fractions, as decimal nanoseconds. */
export function nanosOf(ms: number): string {
  const whole = Math.floor(ms);
  const fraction = Math.round((ms - whole) * 1_000_000);
  return String(BigInt(whole) * 1_000_000n + BigInt(fraction));
}
