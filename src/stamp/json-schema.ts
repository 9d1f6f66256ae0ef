// The JSON Schema of stamp.yaml, for editors and for the reference page. Made from the same declaration as the validator.

import { z } from 'zod';
import { stampSchema } from './schema.ts';

/** JSON Schema (draft 2020-12) of a stamp file as it is written: keys with a default are optional. */
export function stampJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = JSON.parse(
    JSON.stringify(z.toJSONSchema(stampSchema, { io: 'input' }), withoutSafeBounds),
  ) as Record<string, unknown>;
  const description = 'stamp.yaml of Understudy: one GenAI workload in two Azure regions.';
  return { $schema, title: 'Understudy stamp', description, ...schema };
}

/** zod notes the range of whole numbers that JavaScript can hold; in an editor that is noise. */
function withoutSafeBounds(key: string, value: unknown): unknown {
  const isBound = key === 'maximum' || key === 'minimum';
  return isBound && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER ? undefined : value;
}
