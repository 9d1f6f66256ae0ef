// Where secret values come from. The stamp holds references; values are read when needed and kept in memory only.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Failure } from '#base';

/** Reads the value behind a reference; throws `SECRET_UNREADABLE`, which names the reference and never the value. */
export interface SecretReader {
  read(reference: string, signal?: AbortSignal): Promise<string>;
}

export interface EnvironmentSecretsOptions {
  /** Folder that `file:` paths are relative to: the stamp's own. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads `key-vault:NAME`; without it such references cannot be read. */
  readonly keyVault?: (name: string, signal?: AbortSignal) => Promise<string>;
}

/** Reads `env:` and `file:` references, and `key-vault:` ones through the given function. Trailing newlines of files go. */
export function environmentSecrets(options: EnvironmentSecretsOptions): SecretReader {
  return {
    async read(reference, signal) {
      const separator = reference.indexOf(':');
      const scheme = reference.slice(0, separator);
      const name = reference.slice(separator + 1);
      const value = await readFrom(scheme, name, reference, { ...options, signal });
      if (value === '') throw unreadable(reference, 'it is empty');
      return value;
    },
  };
}

async function readFrom(
  scheme: string,
  name: string,
  reference: string,
  options: EnvironmentSecretsOptions & { signal: AbortSignal | undefined },
): Promise<string> {
  switch (scheme) {
    case 'env': {
      const value = options.environment[name];
      if (value === undefined) throw unreadable(reference, 'the environment variable is not set');
      return value;
    }
    case 'file':
      try {
        return (await readFile(resolve(options.directory, name), 'utf8')).replace(/\r?\n$/, '');
      } catch (error) {
        throw unreadable(reference, (error as NodeJS.ErrnoException).code ?? 'it cannot be read', error);
      }
    case 'key-vault':
      if (!options.keyVault) throw unreadable(reference, 'no key vault is connected here');
      return options.keyVault(name, options.signal);
    default:
      throw unreadable(reference, `unknown scheme ${scheme}`);
  }
}

function unreadable(reference: string, why: string, cause?: unknown): Failure {
  return new Failure('SECRET_UNREADABLE', `secret ${reference} cannot be read: ${why}`, {
    next: 'ask_operator',
    hint: 'set the variable, create the file, or correct the reference in the stamp',
    cause,
  });
}
