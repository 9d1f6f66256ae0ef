// Reads the declared shape itself: which keys are known at a place, and what of a faulty stamp can still be judged.
// It knows the few kinds of zod schema that schema.ts uses; anything else counts as a single value.

import { z } from 'zod';
import { isRecord } from '#base';
import type { Path } from './problem.ts';

/** The same shape with every part possibly missing: what remains of a stamp with mistakes in it. */
export type Salvaged<T> = T extends readonly (infer Item)[]
  ? (Salvaged<Item> | undefined)[]
  : T extends object
    ? { [Key in keyof T]?: Salvaged<T[Key]> | undefined }
    : T;

/** Keeps every part of `value` that is right by itself, fills in defaults, and leaves the rest undefined. */
export function salvage<T extends z.ZodType>(schema: T, value: unknown): Salvaged<z.infer<T>> | undefined {
  return salvageUnknown(schema, value) as Salvaged<z.infer<T>> | undefined;
}

function salvageUnknown(schema: z.ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodDefault) {
    return value === undefined ? schema.parse(undefined) : salvageUnknown(inner(schema), value);
  }
  if (schema instanceof z.ZodOptional) return value === undefined ? undefined : salvageUnknown(inner(schema), value);
  if (schema instanceof z.ZodArray) {
    if (!Array.isArray(value)) return undefined;
    return value.map((item) => salvageUnknown(schema.element as z.ZodType, item));
  }
  const shape = shapeOf(schema, value);
  if (shape !== undefined) {
    if (!isRecord(value)) return undefined;
    const kept = Object.entries(shape).map(([key, child]) => [key, salvageUnknown(child, own(value, key))] as const);
    return Object.fromEntries(kept.filter(([, child]) => child !== undefined));
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** Keys known at `path`, chosen by the discriminator where there is one; empty when nothing is known. */
export function knownKeys(schema: z.ZodType, value: unknown, path: Path): string[] {
  let current: z.ZodType | undefined = schema;
  let here = value;
  for (const part of path) {
    current = current && childOf(unwrap(current), here, part);
    here = Array.isArray(here) ? here[Number(part)] : isRecord(here) ? own(here, String(part)) : undefined;
  }
  if (current === undefined) return [];
  const unwrapped = unwrap(current);
  if (unwrapped instanceof z.ZodRecord) return recordKeys(unwrapped);
  return Object.keys(shapeOf(unwrapped, here) ?? {});
}

/** The value at `path`, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const part of path) {
    here = Array.isArray(here) ? here[Number(part)] : isRecord(here) ? own(here, String(part)) : undefined;
  }
  return here;
}

function childOf(schema: z.ZodType, value: unknown, part: string | number): z.ZodType | undefined {
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  return shapeOf(schema, value)?.[String(part)];
}

type Shape = Readonly<Record<string, z.ZodType>>;

function shapeOf(schema: z.ZodType, value: unknown): Shape | undefined {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return undefined;
  const shapes = schema.options.flatMap((option) => (option instanceof z.ZodObject ? [option.shape as Shape] : []));
  const discriminator = schema.def.discriminator;
  const written = isRecord(value) ? own(value, discriminator) : undefined;
  const chosen = shapes.find((shape) => shape[discriminator]?.safeParse(written).success === true);
  return chosen ?? commonShape(shapes, discriminator);
}

/** What all variants share, so that an item with a misspelt kind still has its id. */
function commonShape(shapes: readonly Shape[], discriminator: string): Shape {
  const shared = Object.entries(shapes[0] ?? {}).filter(
    ([key]) => key !== discriminator && shapes.every((shape) => key in shape),
  );
  return Object.fromEntries(shared);
}

function recordKeys(schema: z.ZodRecord): string[] {
  return schema.keyType instanceof z.ZodEnum ? schema.keyType.options.map(String) : [];
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? unwrap(inner(schema)) : schema;
}

function inner(schema: z.ZodDefault | z.ZodOptional): z.ZodType {
  return schema.unwrap() as z.ZodType;
}

/** Only own members: a key such as `constructor` in the file must not reach the prototype. */
function own(value: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}
