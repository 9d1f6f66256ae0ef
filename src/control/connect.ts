// Builds the connectors of a stamp: the same for the controller, for a site's own process and for `assess`.

import type { Clock, Randomness } from '#base';
import {
  createDatabricks,
  createIdentity,
  createKeyVault,
  createLangfuse,
  createModel,
  createStorage,
  createTraffic,
  type ReplicatedConnector,
} from '#connectors';
import { dependencyOf, type SecretReader, type Stamp } from '#stamp';

export interface ConnectSources {
  readonly stamp: Stamp;
  /** The stamp's folder: relative paths start there. */
  readonly directory: string;
  readonly secrets: SecretReader;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

export type Connectors = ReturnType<typeof connect>;

export function connect(sources: ConnectSources) {
  const { stamp } = sources;
  const identity = createIdentity({ dependency: dependencyOf(stamp, 'identity'), ...sources });
  return {
    identity,
    keyVault: createKeyVault({ dependency: dependencyOf(stamp, 'key-vault'), identity, ...sources }),
    storage: createStorage({ dependency: dependencyOf(stamp, 'storage'), ...sources }),
    databricks: createDatabricks({ dependency: dependencyOf(stamp, 'databricks'), ...sources }),
    langfuse: createLangfuse({ dependency: dependencyOf(stamp, 'langfuse'), ...sources }),
    model: createModel({
      dependency: dependencyOf(stamp, 'model'),
      upstreams: stamp.gateway.upstreams,
      ...sources,
    }),
    traffic: createTraffic({ dependency: dependencyOf(stamp, 'traffic'), ...sources }),
  };
}

/** Those that hold artifacts, in the order in which they are brought up to date. */
export function replicatedOf(connectors: Connectors): readonly ReplicatedConnector[] {
  return [connectors.keyVault, connectors.storage, connectors.databricks, connectors.langfuse];
}

/** Per dependency id: what happens to artifacts that only the standby has. */
export function deletionsOf(stamp: Stamp): Readonly<Record<string, 'report' | 'propagate'>> {
  return Object.fromEntries(stamp.dependencies.map((dependency) => [dependency.id, dependency.deletions]));
}
