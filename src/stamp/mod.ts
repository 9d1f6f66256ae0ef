// stamp: the declared workload. `loadStamp` reads a stamp.yaml and reports every mistake at once, each with its path and
// line; everything else in the program receives the checked `Stamp`.
//
// Flow: yaml-text.ts (text → value and places) → issues.ts (against schema.ts) and rules.ts (what needs more than one
// field, on whatever schema-tree.ts could salvage) → problem.ts (sorted, with lines) or the checked stamp.

export {
  dependencySchema,
  stampSchema,
  stepIds,
  type CanaryPrompt,
  type Client,
  type Dependency,
  type DependencyKind,
  type DependencyOf,
  type Person,
  type Route,
  type Rung,
  type Stamp,
  type StepId,
  type Upstream,
} from './schema.ts';
export { loadStamp, parseStamp, type LoadedStamp } from './load.ts';
export { formatProblems, type Problem, type ProblemCode } from './problem.ts';
export { dependencyMap, dependencyOrder, type DependencyNode } from './graph.ts';
export { stampJsonSchema } from './json-schema.ts';
export { dependenciesOfKind, dependencyOf, milliseconds, personOf, routeOf, upstreamOf } from './select.ts';
export { environmentSecrets, type SecretReader } from './secrets.ts';
