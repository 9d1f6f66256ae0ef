import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { canonicalJson } from '#base';
import {
  enterInRegister,
  evidenceFile,
  sealEvidence,
  verifyEvidence,
  verifyEvidenceText,
  verifyRegister,
} from './mod.ts';

const seal = generateKeyPairSync('ed25519');
const ada = generateKeyPairSync('ed25519');
const pem = (
  key: { export(o: { type: 'pkcs8' | 'spki'; format: 'pem' }): string | Buffer },
  type: 'pkcs8' | 'spki',
): string => String(key.export({ type, format: 'pem' }));

describe('evidence', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'understudy-evidence-'));
  });
  after(() => rm(directory, { recursive: true }));

  const sealRun = (run: string, approvalSignedBy = ada.privateKey) => {
    const statement = { run, decision: 'approve' };
    const signature = sign(null, Buffer.from(canonicalJson(statement)), approvalSignedBy).toString('hex');
    return sealEvidence(
      {
        header: { run, people: [{ id: 'ada', publicKey: pem(ada.publicKey, 'spki') }] },
        entries: [
          { type: 'event', body: { sequence: 1, type: 'run-opened', body: {} } },
          {
            type: 'event',
            body: { sequence: 2, type: 'approval-given', body: { signed: { person: 'ada', statement, signature } } },
          },
          { type: 'summary', body: { outcome: 'completed' } },
        ],
      },
      { file: evidenceFile(directory, run), key: { privateKeyPem: pem(seal.privateKey, 'pkcs8'), kind: 'lab' } },
    );
  };

  it('verifies what was sealed, as lab evidence', async () => {
    const sealed = await sealRun('run_whole');
    const found = await verifyEvidence(sealed.file, { trustedPublicKeyPem: pem(seal.publicKey, 'spki') });
    assert.deepEqual([found.valid, found.kind, found.run, found.problems], [true, 'lab', 'run_whole', []]);
    assert.equal(found.head, sealed.head);
  });

  it('detects any changed byte, whichever it is', async () => {
    const sealed = await sealRun('run_bytes');
    const bytes = await readFile(sealed.file);
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      const found = verifyEvidenceText(changed, { file: 'changed' });
      assert.equal(found.valid, false, `byte ${index} changed and not noticed`);
      assert.ok(found.problems.length > 0);
    }
  });

  it('detects a removed line and a cut file', async () => {
    const sealed = await sealRun('run_lines');
    const lines = (await readFile(sealed.file, 'utf8')).trimEnd().split('\n');
    const without = lines
      .toSpliced(2, 1)
      .map((line) => `${line}\n`)
      .join('');
    assert.ok(verifyEvidenceText(Buffer.from(without), { file: 'x' }).problems.some((p) => p.code === 'CHAIN_BROKEN'));
    const cut = lines
      .slice(0, -1)
      .map((line) => `${line}\n`)
      .join('');
    assert.ok(verifyEvidenceText(Buffer.from(cut), { file: 'x' }).problems.some((p) => p.code === 'SEAL_MISSING'));
  });

  it('refuses an approval that another key signed', async () => {
    const sealed = await sealRun('run_forged', generateKeyPairSync('ed25519').privateKey);
    const found = await verifyEvidence(sealed.file);
    assert.deepEqual(
      found.problems.map((p) => p.code),
      ['STATEMENT_SIGNATURE_WRONG'],
    );
  });

  it('refuses a key that is not trusted, and never overwrites', async () => {
    const sealed = await sealRun('run_trust');
    const other = pem(generateKeyPairSync('ed25519').publicKey, 'spki');
    const found = await verifyEvidence(sealed.file, { trustedPublicKeyPem: other });
    assert.ok(found.problems.some((p) => p.code === 'SEAL_KEY_UNTRUSTED'));
    await assert.rejects(sealRun('run_trust'), { code: 'EVIDENCE_EXISTS' });
  });

  it('keeps a register that notices a removed file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'understudy-register-'));
    try {
      for (const run of ['run_1', 'run_2']) {
        const sealed = await sealEvidence(
          { header: { run }, entries: [] },
          { file: evidenceFile(folder, run), key: { privateKeyPem: pem(seal.privateKey, 'pkcs8'), kind: 'lab' } },
        );
        await enterInRegister(sealed, { run });
        await enterInRegister(sealed, { run });
      }
      assert.deepEqual((await verifyRegister(folder)).valid, true);
      assert.equal((await verifyRegister(folder)).entries, 2);
      await rm(evidenceFile(folder, 'run_1'));
      assert.deepEqual(
        (await verifyRegister(folder)).problems.map((p) => p.code),
        ['FILE_MISSING'],
      );
      const register = await readFile(join(folder, 'register.jsonl'), 'utf8');
      await writeFile(join(folder, 'register.jsonl'), register.split('\n').slice(1).join('\n'));
      assert.ok((await verifyRegister(folder)).problems.some((p) => p.code === 'REGISTER_BROKEN'));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
