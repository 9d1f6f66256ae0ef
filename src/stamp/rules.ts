// What needs more than one field to judge. Each rule reads what could be salvaged of the stamp and stays silent where
// something it needs is itself mistaken, so that all rules run even on a stamp with errors in its shape.

import type { Mistake } from './problem.ts';
import type { Salvaged } from './schema-tree.ts';
import type { Stamp } from './schema.ts';
import { dependencyRules } from './rules/dependencies.ts';
import { gatewayRules } from './rules/gateway.ts';
import { peopleRules } from './rules/people.ts';
import { siteRules } from './rules/sites.ts';

export interface RuleContext {
  /** Folder of the stamp file: relative paths in the stamp start there. */
  readonly directory: string;
}

export type Rule = (stamp: Salvaged<Stamp>, context: RuleContext) => Iterable<Mistake>;

const rules: readonly Rule[] = [...siteRules, ...dependencyRules, ...gatewayRules, ...peopleRules];

export function ruleMistakes(stamp: Salvaged<Stamp>, context: RuleContext): Mistake[] {
  return rules.flatMap((rule) => [...rule(stamp, context)]);
}
