// What every command needs: the checked stamp, who is acting, and how to print.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Failure, type Clock, type Randomness, type Site } from '#base';
import { controlClient, type ControlClient, type ControllerOptions } from '#control';
import { environmentSecrets, formatProblems, loadStamp, personOf, type SecretReader, type Stamp } from '#stamp';

export interface Started {
  readonly url: string;
  stop(): Promise<void>;
}

type WithoutPorts<T> = Omit<T, 'clock' | 'randomness'>;

export interface CliWorld {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly startSite: (options: {
    site: Site;
    stamp: Stamp;
    directory: string;
    secrets: SecretReader;
    log: (line: { level: string; code: string; message: string }) => void;
  }) => Promise<Started>;
  readonly startController: (options: WithoutPorts<ControllerOptions>) => Promise<Started>;
}

export interface StampOptions {
  readonly stamp?: string;
  readonly as?: string;
  readonly key?: string;
  readonly json?: boolean;
}

export interface StampContext {
  readonly file: string;
  readonly directory: string;
  readonly stamp: Stamp;
  readonly digest: string;
  readonly secrets: SecretReader;
}

const labStamp = '.understudy/lab/stamp.yaml';

/** The stamp file: `--stamp`, then UNDERSTUDY_STAMP, then ./stamp.yaml, then the running lab's. */
export function findStampFile(options: StampOptions, world: CliWorld): string {
  const named = options.stamp ?? world.environment['UNDERSTUDY_STAMP'];
  if (named !== undefined) return named;
  const found = ['stamp.yaml', labStamp].find((file) => existsSync(file));
  if (found === undefined) {
    throw new Failure('STAMP_NOT_FOUND', `there is no stamp.yaml here and no lab in ${labStamp}`, {
      hint: 'name one with `--stamp FILE`, or start a lab with `understudy lab`',
    });
  }
  return found;
}

export async function openStamp(options: StampOptions, world: CliWorld): Promise<StampContext> {
  const file = findStampFile(options, world);
  const loaded = await loadStamp(file);
  if (!loaded.ok) {
    throw new Failure('STAMP_INVALID', formatProblems(loaded.problems, file), {
      hint: `mend them, then \`understudy check ${file}\``,
    });
  }
  const secrets = environmentSecrets({ directory: loaded.directory, environment: world.environment });
  return { file, directory: loaded.directory, stamp: loaded.stamp, digest: loaded.digest, secrets };
}

export interface Acting {
  readonly person: string;
  readonly privateKeyPem: string;
  readonly client: ControlClient;
}

/** Who acts: `--as`, then UNDERSTUDY_AS; in a lab the first person who may do it. */
export async function actAs(
  context: StampContext,
  options: StampOptions,
  world: CliWorld,
  right: 'read' | 'initiate' | 'approve' | 'operate',
): Promise<Acting> {
  const { stamp } = context;
  const lab = stamp.people.every((person) => person.kind === 'lab');
  const fallback = lab ? stamp.people.find((person) => person.may.includes(right))?.id : undefined;
  const id = options.as ?? world.environment['UNDERSTUDY_AS'] ?? fallback;
  const known = stamp.people.map((person) => person.id).join(', ');
  if (id === undefined) {
    throw new Failure('PERSON_NEEDED', 'say who is acting', { hint: `\`--as PERSON\`, one of ${known}` });
  }
  const person = personOf(stamp, id);
  if (!person) throw new Failure('PERSON_UNKNOWN', `${id} is not a person of this stamp`, { hint: `one of ${known}` });
  const reference = options.key === undefined ? person.privateKey : `file:${resolve(options.key)}`;
  if (reference === undefined) {
    throw new Failure('KEY_NEEDED', `the stamp does not say where ${id} keeps the key`, {
      hint: 'name it with `--key FILE`',
    });
  }
  const privateKeyPem = await context.secrets.read(reference);
  return { person: id, privateKeyPem, client: controlClient({ stamp, person: id, privateKeyPem, clock: world.clock }) };
}
