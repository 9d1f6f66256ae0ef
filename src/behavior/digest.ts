// The content digest of a route's behavior. Narrow for now: tool declarations and mode; prompts and moderation join it
// when bundles do, under a new format number.

import { digestOf } from '#base';
import type { Route } from '#stamp';

/** Grows when what the digest covers changes, so that digests of different coverage are never equal by accident. */
const formatNumber = 1;

/** The part of a route that decides how answers behave. */
export type BehaviorSource = Pick<Route, 'tools' | 'mode'>;

/** 64 lower-case hex digits; the order in which tools are declared does not matter. */
export function behaviorDigest(route: BehaviorSource): string {
  const tools = route.tools
    .map(({ name, effect }) => ({ name, effect }))
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return digestOf({ format: formatNumber, mode: route.mode, tools });
}
