// Rules of the data plane: references of routes and clients, the order of a ladder, and one owner for each model name.

import type { Mistake, Path } from '../problem.ts';
import type { Rule } from '../rules.ts';
import type { Salvaged } from '../schema-tree.ts';
import type { Route, Stamp } from '../schema.ts';
import { duplicates, idsOf, unknownReference } from './references.ts';

export const gatewayRules: readonly Rule[] = [
  duplicateIds,
  duplicateKeys,
  duplicateTools,
  ladderUpstreams,
  otherRegionIsOther,
  messageIsLast,
  modelNamesOwnedOnce,
  clientRoutes,
  canaryReferences,
  canaryPromptIds,
];

function* duplicateIds(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const list of ['upstreams', 'routes', 'clients'] as const) {
    const items: readonly ({ id?: string | undefined } | undefined)[] = stamp.gateway?.[list] ?? [];
    const ids = items.map((item) => item?.id);
    const pathOf = (index: number): Path => ['gateway', list, index, 'id'];
    yield* duplicates(`the ${list.slice(0, -1)} id`, ids, { pathOf });
  }
}

function* duplicateKeys(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const digests = (stamp.gateway?.clients ?? []).map((client) => client?.keySha256);
  const pathOf = (index: number): Path => ['gateway', 'clients', index, 'keySha256'];
  yield* duplicates('this client key', digests, { pathOf, show: false });
}

function* duplicateTools(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const { route, path } of routesOf(stamp)) {
    const names = (route.tools ?? []).map((tool) => tool?.name);
    yield* duplicates('the tool', names, { pathOf: (index) => [...path, 'tools', index, 'name'] });
  }
}

function* ladderUpstreams(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const known = idsOf(stamp.gateway?.upstreams);
  for (const { route, path } of routesOf(stamp)) {
    for (const [index, rung] of (route.ladder ?? []).entries()) {
      const id = rung !== undefined && 'upstream' in rung ? rung.upstream : undefined;
      yield* unknownReference('upstream', id, { known, path: [...path, 'ladder', index, 'upstream'] });
    }
  }
}

function* otherRegionIsOther(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const upstreams = stamp.gateway?.upstreams ?? [];
  const regionOf = (id: string | undefined): string | undefined =>
    upstreams.find((upstream) => upstream?.id !== undefined && upstream.id === id)?.region;
  for (const { route, path } of routesOf(stamp)) {
    const ladder = route.ladder ?? [];
    for (const [index, rung] of ladder.entries()) {
      if (rung?.rung !== 'other-region') continue;
      const above = ladder.slice(0, index);
      const model = above.findLast((higher) => higher?.rung === 'model');
      // A rung above whose kind cannot be read may be the `model` rung.
      if (model === undefined && above.some((higher) => higher?.rung === undefined)) continue;
      const place = [...path, 'ladder', index];
      if (model === undefined) {
        const message = 'an `other-region` rung needs a `model` rung above it: other than what?';
        yield { path: [...place, 'rung'], code: 'LADDER_ORDER', message };
        continue;
      }
      const region = regionOf(rung.upstream);
      if (region === undefined || region !== regionOf('upstream' in model ? model.upstream : undefined)) continue;
      const message = `upstream \`${rung.upstream}\` is in ${region} like the \`model\` rung above; this rung must be in another region`;
      yield { path: [...place, 'upstream'], code: 'LADDER_ORDER', message };
    }
  }
}

function* messageIsLast(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  for (const { route, path } of routesOf(stamp)) {
    const ladder = route.ladder ?? [];
    for (const [index, rung] of ladder.entries()) {
      if (rung?.rung !== 'message' || index === ladder.length - 1) continue;
      const message = 'a `message` rung always answers, so what stands below it is never tried';
      yield { path: [...path, 'ladder', index, 'rung'], code: 'LADDER_ORDER', message, hint: 'move it to the end' };
    }
  }
}

function* modelNamesOwnedOnce(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const owners = new Map<string, { readonly routeIndex: number; readonly name: string }>();
  for (const { route, path, index } of routesOf(stamp)) {
    for (const [position, model] of (route.models ?? []).entries()) {
      if (model === undefined) continue;
      const owner = owners.get(model);
      owners.set(model, owner ?? { routeIndex: index, name: route.id ?? `number ${index + 1}` });
      if (owner === undefined) continue;
      const message =
        owner.routeIndex === index
          ? `the model \`${model}\` stands twice`
          : `the model \`${model}\` already belongs to route \`${owner.name}\``;
      yield { path: [...path, 'models', position], code: 'DUPLICATE', message };
    }
  }
}

function* clientRoutes(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const known = idsOf(stamp.gateway?.routes);
  for (const [index, client] of (stamp.gateway?.clients ?? []).entries()) {
    for (const [position, id] of (client?.routes ?? []).entries()) {
      yield* unknownReference('route', id, { known, path: ['gateway', 'clients', index, 'routes', position] });
    }
  }
}

function* canaryReferences(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const { route, client } = stamp.canary ?? {};
  const clients = stamp.gateway?.clients;
  const known = idsOf(stamp.gateway?.routes);
  yield* unknownReference('route', route, { known, path: ['canary', 'route'] });
  yield* unknownReference('client', client, { known: idsOf(clients), path: ['canary', 'client'] });
  const found = clients?.find((candidate) => candidate?.id !== undefined && candidate.id === client);
  if (found === undefined) return;
  const path = ['canary', 'client'];
  if (route !== undefined && known?.includes(route) === true && found.routes?.includes(route) === false) {
    const message = `client \`${client}\` may not use route \`${route}\``;
    yield { path, code: 'CANARY_NOT_ALLOWED', message, hint: `add ${route} to the routes of that client` };
  }
  if (found.rehearsal === false) {
    const message = `client \`${client}\` may not use the rehearsal lane, which the canary needs`;
    yield { path, code: 'CANARY_NOT_ALLOWED', message, hint: 'give that client `rehearsal: true`' };
  }
}

function* canaryPromptIds(stamp: Salvaged<Stamp>): Iterable<Mistake> {
  const ids = (stamp.canary?.prompts ?? []).map((prompt) => prompt?.id);
  yield* duplicates('the prompt id', ids, { pathOf: (index) => ['canary', 'prompts', index, 'id'] });
}

function* routesOf(stamp: Salvaged<Stamp>): Iterable<{ route: Salvaged<Route>; path: Path; index: number }> {
  for (const [index, route] of (stamp.gateway?.routes ?? []).entries()) {
    if (route !== undefined) yield { route, path: ['gateway', 'routes', index], index };
  }
}
