// Seals a run: its header, every event of its log, its summary, and a signature over count and head. Later facts are
// addendum files that name the head they add to; a sealed file is never written again.

import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson, Failure } from '#base';
import { ChainWriter } from './chain.ts';

export const evidenceFormat = 'understudy-evidence/1';

export interface EvidenceContent {
  readonly header: Readonly<Record<string, unknown>>;
  readonly entries: readonly {
    readonly type: 'event' | 'summary' | 'fact';
    readonly body: Readonly<Record<string, unknown>>;
  }[];
}

export interface SealKey {
  /** Ed25519 private key, PEM. */
  readonly privateKeyPem: string;
  /** `lab` evidence verifies only as lab evidence. */
  readonly kind: 'lab' | 'key';
}

export interface Sealed {
  readonly file: string;
  readonly head: string;
  readonly lines: number;
}

/** Writes a sealed evidence file, whole or not at all. Throws `EVIDENCE_EXISTS` rather than overwrite. */
export async function sealEvidence(
  content: EvidenceContent,
  target: {
    readonly file: string;
    readonly key: SealKey;
    /** The caller knows that no log names this file yet: it was left by a crash between sealing and recording. */
    readonly replaceUnrecorded?: boolean;
  },
): Promise<Sealed> {
  const privateKey = createPrivateKey(target.key.privateKeyPem);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }) as string;
  const chain = new ChainWriter();
  chain.add('header', { format: evidenceFormat, sealedBy: { kind: target.key.kind, publicKey }, ...content.header });
  for (const entry of content.entries) chain.add(entry.type, entry.body);
  const statement = { count: chain.count, head: chain.head, algorithm: 'Ed25519' };
  const signature = sign(null, Buffer.from(canonicalJson(statement)), privateKey).toString('hex');
  chain.add('seal', { ...statement, signature });
  await writeOnce(target.file, { text: chain.text(), replace: target.replaceUnrecorded ?? false });
  return { file: target.file, head: chain.head, lines: chain.count };
}

/** The file of a run's evidence, and of its n-th addendum. */
export function evidenceFile(directory: string, runId: string, addendum = 0): string {
  return join(directory, addendum === 0 ? `${runId}.evidence.jsonl` : `${runId}.addendum-${addendum}.jsonl`);
}

async function writeOnce(file: string, content: { text: string; replace: boolean }): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  if (existsSync(file) && !content.replace) {
    throw new Failure('EVIDENCE_EXISTS', `${file} is sealed already and is never written again`);
  }
  const temporary = `${file}.writing`;
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(content.text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
