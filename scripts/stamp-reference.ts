// Renders docs/reference/stamp.md from the JSON Schema of the stamp: every key with its type, default and description.
// A description that is missing there is a mistake here: rendering stops and names the key.

import { assert, isRecord, unreachable } from '#base';

/** The part of JSON Schema that the stamp's schema uses. */
interface Shape {
  readonly type?: 'array' | 'object' | 'integer' | 'number' | 'boolean' | 'string';
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly oneOf?: readonly Shape[];
  readonly propertyNames?: Shape;
  readonly additionalProperties?: Shape | boolean;
}

const introduction = `# stamp.yaml

<!-- Generated from src/stamp/schema.ts by \`node scripts/write-schema.ts\`; a test fails when it is stale. -->

Every key of a stamp, with its type, its default and what it means. A key without a default and not marked *optional* must
be written. Unknown keys are errors. \`understudy check FILE\` reports every mistake at once with its line, including what
needs more than one key to judge (references, cycles, addresses used twice). A complete example is
[examples/stamp.azure.yaml](../../examples/stamp.azure.yaml); editors complete and check keys when the file begins with

\`\`\`yaml
# yaml-language-server: $schema=../schema/stamp.schema.json
\`\`\`

| type | written as |
|---|---|
| duration | \`200ms\`, \`3s\`, \`15m\`, \`1h30m\` |
| identifier | 1 to 63 of a-z, 0-9 and \`-\`, starting with a letter or digit |
| secret reference | \`env:NAME\`, \`file:PATH\` (relative to the stamp) or \`key-vault:NAME\`; never the value itself |
| URL | an http or https address |
`;

/** Markdown of the whole page. `schema` is what \`stampJsonSchema()\` returns. */
export function renderReference(schema: Readonly<Record<string, unknown>>): string {
  return [introduction, ...sections('', schema)].join('\n');
}

function sections(path: string, shape: Shape): string[] {
  if (shape.oneOf) return shape.oneOf.flatMap((variant) => sections(`${path} (${discriminatorOf(variant)})`, variant));
  const properties = Object.entries(shape.properties ?? {});
  const required = new Set(shape.required ?? []);
  const heading = path === '' ? '## The whole file' : `## ${path}`;
  const rows = properties.map(([key, child]) => row(path, key, { child, required: required.has(key) }));
  const about = shape.description === undefined || path === '' ? [] : [shape.description, ''];
  const table = [heading, '', ...about, '| key | type | default | meaning |', '|---|---|---|---|', ...rows, ''].join(
    '\n',
  );
  const below = path === '' ? '' : `${path}.`;
  return [table, ...withoutTwins(properties).flatMap(([key, child]) => nested(`${below}${key}`, child))];
}

/** Home and partner have the same keys; one section describes both. */
function withoutTwins(properties: readonly (readonly [string, Shape])[]): (readonly [string, Shape])[] {
  const keysOf = (shape: Shape | undefined): string => JSON.stringify(shape?.properties);
  const home = properties.find(([key]) => key === 'home')?.[1];
  const twins = keysOf(home) === keysOf(properties.find(([key]) => key === 'partner')?.[1]);
  if (home === undefined || !twins) return [...properties];
  return properties.flatMap(([key, child]) => {
    if (key === 'partner') return [];
    return [key === 'home' ? (['(home, partner)', ofEither(child)] as const) : ([key, child] as const)];
  });
}

/** `The vault at home.` is the vault at either site; any other sentence speaks of home alone. */
function ofEither({ description, ...shape }: Shape): Shape {
  if (description?.endsWith(' at home.') !== true) return shape;
  return { ...shape, description: description.replace(' at home.', ' of that site.') };
}

function nested(path: string, shape: Shape): string[] {
  if (shape.type === 'array' && shape.items !== undefined) return nested(`${path}[]`, shape.items);
  return shape.oneOf || shape.properties ? sections(path, shape) : [];
}

function row(path: string, key: string, { child, required }: { child: Shape; required: boolean }): string {
  assert(child.description, `${path === '' ? key : `${path}.${key}`} has a description in src/stamp/schema.ts`);
  const fallback =
    child.default === undefined ? (required ? '' : '*optional*') : `\`${JSON.stringify(child.default)}\``;
  const cells = [`\`${key}\``, typeOf(child), isRecord(child.default) ? 'as below' : fallback, child.description];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function typeOf(shape: Shape): string {
  if (shape.const !== undefined) return `\`${JSON.stringify(shape.const)}\``;
  if (shape.enum) return shape.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (shape.oneOf) return `one of: ${shape.oneOf.map((variant) => `\`${discriminatorOf(variant)}\``).join(', ')}`;
  switch (shape.type) {
    case 'array':
      return `list of ${typeOf(shape.items ?? {})}${shape.minItems === undefined ? '' : `, at least ${shape.minItems}`}`;
    case 'object':
      return shape.propertyNames
        ? `${typeOf(shape.additionalProperties as Shape)} by ${typeOf(shape.propertyNames)}`
        : 'mapping';
    case 'integer':
    case 'number':
      return numberOf(shape);
    case 'boolean':
      return '`true`, `false`';
    case 'string':
    case undefined:
      return textOf(shape);
    default:
      return unreachable(shape.type);
  }
}

function numberOf({ type, minimum, maximum }: Shape): string {
  const name = type === 'integer' ? 'whole number' : 'number';
  if (minimum !== undefined && maximum !== undefined) return `${name}, ${minimum} to ${maximum}`;
  return minimum === undefined ? name : `${name}, at least ${minimum}`;
}

function textOf({ format, pattern = '' }: Shape): string {
  if (format === 'uri') return 'URL';
  if (pattern.includes('(ms|s|m|h|d)')) return 'duration';
  if (pattern.startsWith('^(env:')) return 'secret reference';
  return pattern === '^[a-z0-9][a-z0-9-]{0,62}$' ? 'identifier' : 'text';
}

function discriminatorOf(variant: Shape): string {
  const [key, shape] = Object.entries(variant.properties ?? {}).find(([, child]) => child.const !== undefined) ?? [];
  return `${key}: ${String(shape?.const)}`;
}
