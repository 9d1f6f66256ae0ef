// Reading OTLP values: attributes as plain members, ids as text, times as microseconds, and the texts in which the SDKs
// pack numbers, dates and lists.

import { isRecord, tryParseJson } from '#base';
import { bytesOf } from './otlp-validate.ts';

export type Attributes = Readonly<Record<string, unknown>>;

export function attributesOf(list: unknown): Attributes {
  const attributes: Record<string, unknown> = {};
  if (!Array.isArray(list)) return attributes;
  for (const entry of list as unknown[]) {
    if (isRecord(entry) && typeof entry['key'] === 'string') attributes[entry['key']] = valueOf(entry['value']);
  }
  return attributes;
}

function valueOf(value: unknown): unknown {
  if (!isRecord(value)) return null;
  if ('stringValue' in value) return value['stringValue'];
  if ('boolValue' in value) return value['boolValue'];
  if ('intValue' in value) return Number(value['intValue']);
  if ('doubleValue' in value) return value['doubleValue'];
  if ('bytesValue' in value) return bytesOf(value['bytesValue'])?.toString('base64') ?? value['bytesValue'];
  const array = value['arrayValue'];
  if (isRecord(array)) return Array.isArray(array['values']) ? (array['values'] as unknown[]).map(valueOf) : [];
  const members = value['kvlistValue'];
  return isRecord(members) ? attributesOf(members['values']) : null;
}

export function idText(id: unknown): string {
  return typeof id === 'string' ? id : (bytesOf(id)?.toString('hex') ?? '');
}

export function microseconds(nanoseconds: unknown): number | undefined {
  const text = typeof nanoseconds === 'number' ? nanoseconds.toFixed(0) : nanoseconds;
  if (typeof text !== 'string' || !/^\d{1,20}$/.test(text) || text === '0') return undefined;
  return Number(BigInt(text) / 1_000n);
}

export function first(attributes: Attributes, ...keys: string[]): unknown {
  for (const key of keys) if (attributes[key] !== undefined && attributes[key] !== null) return attributes[key];
  return undefined;
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

export function optionalText(value: unknown): string | null {
  return value === undefined || value === null || value === '' ? null : textOf(value);
}

export function optionalNumber(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

export function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const result = tryParseJson(value);
  return result.ok ? result.value : undefined;
}

export function numbersOf(value: unknown): Record<string, number> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}

/** The SDKs send the date as JSON text, with quotes. */
export function dateText(value: unknown): string | null {
  const text = parsed(value) ?? value;
  const date = typeof text === 'string' ? new Date(text) : undefined;
  return date && !Number.isNaN(date.getTime()) ? date.toISOString() : null;
}

export function tagsOf(value: unknown): string[] {
  const list = parsed(value);
  if (Array.isArray(list)) return list.map(textOf);
  return typeof value === 'string' ? [value] : [];
}

export function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}
