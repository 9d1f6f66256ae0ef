// Where everything of a lab is: ports on loopback, folders, names and keys. The stamp file is written from the same facts.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256, type Site } from '#base';

export const labRegions: Readonly<Record<Site, string>> = { home: 'westeurope', partner: 'northeurope' };
export const labPeople = ['ada', 'grace', 'edsger'] as const;
export const labModel = 'support-chat';
export const tenantId = '11111111-2222-4333-8444-555555555555';
export const clientId = { home: 'stamp-home', partner: 'stamp-partner' } as const;
export const originGroup =
  '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/understudy-lab/providers/Microsoft.Cdn/profiles/lab/originGroups/gateways';

/** Offsets from the base port. */
const offsets = {
  home: { databricks: 1, langfuse: 2, keyVault: 3, storage: 4, gateway: 5 },
  partner: { databricks: 11, langfuse: 12, keyVault: 13, storage: 14, gateway: 15 },
  shared: {
    identity: 21,
    modelHome: 22,
    modelPartner: 23,
    modelBackup: 24,
    frontDoor: 30,
    resourceManager: 31,
    controller: 32,
    lab: 40,
  },
} as const;

export interface Layout {
  readonly directory: string;
  readonly basePort: number;
  readonly stampFile: string;
  port(area: 'home' | 'partner', name: keyof (typeof offsets)['home']): number;
  sharedPort(name: keyof (typeof offsets)['shared']): number;
  /** A secret of the lab: made at the first start, kept in `secrets/NAME`. */
  secret(name: LabSecret): string;
  /** SHA-256 of a secret, for the stamp. */
  secretSha256(name: LabSecret): string;
  dataFile(process: string): string;
}

const labSecrets = [
  'application-key',
  'canary-key',
  'identity-home',
  'identity-partner',
  'databricks-home',
  'databricks-partner',
  'langfuse-secret',
  'model-key',
  'backup-key',
  'resource-manager-token',
  'storage-home',
  'storage-partner',
  'comparison-key',
] as const;
export type LabSecret = (typeof labSecrets)[number];

/** Every port that a lab at this base port listens on. */
export function labPorts(basePort: number): number[] {
  return Object.values(offsets).flatMap((area) => Object.values(area).map((offset: number) => basePort + offset));
}

export function openLayout(directory: string, basePort: number): Layout {
  for (const folder of ['secrets', 'keys', 'data', 'home', 'partner', 'logs']) {
    mkdirSync(join(directory, folder), { recursive: true });
  }
  for (const name of labSecrets) makeSecret(join(directory, 'secrets', name), name);
  for (const name of [...labPeople, 'home', 'partner', 'control', 'seal']) makeKey(join(directory, 'keys', name));
  const secret = (name: LabSecret): string => readFileSync(join(directory, 'secrets', name), 'utf8').trim();
  return {
    directory,
    basePort,
    stampFile: join(directory, 'stamp.yaml'),
    port: (area, name) => basePort + offsets[area][name],
    sharedPort: (name) => basePort + offsets.shared[name],
    secret,
    secretSha256: (name) => sha256(secret(name)),
    dataFile: (process) => join(directory, 'data', `${process}.sqlite`),
  };
}

function makeSecret(file: string, name: LabSecret): void {
  if (existsSync(file)) return;
  // Azure storage keys are 64 bytes in base 64; the others only have to be unguessable.
  const value = name.startsWith('storage-')
    ? randomBytes(64).toString('base64')
    : `lab-${name}-${randomBytes(12).toString('hex')}`;
  writeFileSync(file, `${value}\n`, { mode: 0o600 });
}

function makeKey(file: string): void {
  if (existsSync(`${file}.pem`)) return;
  const pair = generateKeyPairSync('ed25519');
  writeFileSync(`${file}.pem`, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(`${file}.pub.pem`, pair.publicKey.export({ type: 'spki', format: 'pem' }));
}
