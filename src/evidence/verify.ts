// Verifies an evidence file from the file alone (and, when given, the stamp's own seal key): every line is canonical,
// chained and numbered, the seal signs count and head, and every approval is signed by the person it names.

import { createPublicKey, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { canonicalJson, describeError, Failure, isRecord, sha256, tryParseJson } from '#base';
import { chainStart, type ChainLine } from './chain.ts';
import { evidenceFormat } from './seal.ts';

export interface EvidenceProblem {
  /** 1-based; 0 speaks of the file as a whole. */
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

export interface Verification {
  readonly file: string;
  readonly valid: boolean;
  /** `lab` evidence proves nothing outside a lab. */
  readonly kind: 'lab' | 'key' | 'unknown';
  readonly head: string;
  readonly lines: number;
  readonly run?: string;
  readonly problems: readonly EvidenceProblem[];
}

export interface VerifyOptions {
  /** The seal key the reader trusts, PEM; without it the file's own key is used and only integrity is shown. */
  readonly trustedPublicKeyPem?: string;
}

export async function verifyEvidence(file: string, options: VerifyOptions = {}): Promise<Verification> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new Failure('EVIDENCE_UNREADABLE', `${file} cannot be read: ${describeError(error)}`, { cause: error });
  }
  return verifyEvidenceText(bytes, { file, ...options });
}

export function verifyEvidenceText(
  bytes: Uint8Array,
  options: VerifyOptions & { readonly file: string },
): Verification {
  const problems: EvidenceProblem[] = [];
  const report = (line: number, code: string, message: string): void => void problems.push({ line, code, message });
  const text = decode(bytes, report);
  const rawLines = text.split('\n');
  if (rawLines.pop() !== '')
    report(rawLines.length + 1, 'NEWLINE_MISSING', 'the file does not end with a newline: it was cut');
  const lines = checkChain(rawLines, report);
  const header = lines[0]?.type === 'header' ? lines[0].body : undefined;
  if (!header) report(1, 'HEADER_MISSING', 'the first line is not a header');
  else if (header['format'] !== evidenceFormat)
    report(1, 'FORMAT_UNKNOWN', `format ${String(header['format'])} is not ${evidenceFormat}`);
  checkSeal(rawLines, lines, { header, options, report });
  if (header) checkApprovals(lines, header, report);
  const sealedBy = header && isRecord(header['sealedBy']) ? header['sealedBy'] : {};
  const kind = sealedBy['kind'] === 'lab' || sealedBy['kind'] === 'key' ? sealedBy['kind'] : 'unknown';
  return {
    file: options.file,
    valid: problems.length === 0,
    kind,
    head: rawLines.length > 0 ? sha256(rawLines.at(-1) ?? '') : chainStart,
    lines: rawLines.length,
    ...(typeof header?.['run'] === 'string' ? { run: header['run'] } : {}),
    problems,
  };
}

type Report = (line: number, code: string, message: string) => void;

function decode(bytes: Uint8Array, report: Report): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    report(0, 'NOT_UTF8', 'the file is not UTF-8: at least one byte was changed');
    return new TextDecoder('utf-8').decode(bytes);
  }
}

function checkChain(rawLines: readonly string[], report: Report): ChainLine[] {
  const lines: ChainLine[] = [];
  let previous = chainStart;
  for (const [index, raw] of rawLines.entries()) {
    const number = index + 1;
    const parsed = tryParseJson(raw);
    if (!parsed.ok || !isRecord(parsed.value) || !isRecord(parsed.value['body'])) {
      report(
        number,
        'LINE_UNREADABLE',
        parsed.ok ? 'the line is not an evidence entry' : `the line is not JSON: ${parsed.message}`,
      );
    } else {
      const line = parsed.value as unknown as ChainLine;
      if (canonicalJson(parsed.value) !== raw)
        report(number, 'LINE_NOT_CANONICAL', 'the bytes are not the canonical form of their content');
      if (line.line !== number)
        report(
          number,
          'LINE_NUMBER_WRONG',
          `the line says it is number ${line.line}: lines were removed, added or moved`,
        );
      if (line.previous !== previous)
        report(number, 'CHAIN_BROKEN', `line ${index} was changed, removed or replaced after sealing`);
      lines.push(line);
    }
    previous = sha256(raw);
  }
  return lines;
}

function checkSeal(
  rawLines: readonly string[],
  lines: readonly ChainLine[],
  context: { header: ChainLine['body'] | undefined; options: VerifyOptions; report: Report },
): void {
  const { report } = context;
  const seal = lines.at(-1);
  const number = rawLines.length;
  if (!seal || seal.type !== 'seal')
    return report(number, 'SEAL_MISSING', 'the last line is not a seal: the file is unsealed or was cut');
  const { signature, ...statement } = seal.body;
  const { count, head, algorithm } = statement;
  if (algorithm !== 'Ed25519') report(number, 'SEAL_ALGORITHM_UNKNOWN', 'the seal names an unknown algorithm');
  if (count !== rawLines.length - 1)
    report(number, 'SEAL_COUNT_WRONG', `the seal covers ${String(count)} lines, the file has ${rawLines.length - 1}`);
  const actual = rawLines.length > 1 ? sha256(rawLines[rawLines.length - 2] ?? '') : chainStart;
  if (head !== actual) report(number, 'SEAL_HEAD_WRONG', 'the seal names another head than the last line has');
  const sealedBy = isRecord(context.header?.['sealedBy']) ? context.header['sealedBy'] : {};
  const own = sealedBy['publicKey'];
  const trusted = context.options.trustedPublicKeyPem;
  if (trusted !== undefined && typeof own === 'string' && fingerprint(own) !== fingerprint(trusted)) {
    report(1, 'SEAL_KEY_UNTRUSTED', 'the file was sealed with another key than the one trusted here');
  }
  const key = trusted ?? own;
  if (typeof key !== 'string' || typeof signature !== 'string' || !signs(key, statement, signature)) {
    report(number, 'SEAL_SIGNATURE_WRONG', 'the signature does not fit the sealed count and head');
  }
}

/** Approvals and overrides are signed by the people they name; their keys stand in the header. */
function checkApprovals(lines: readonly ChainLine[], header: ChainLine['body'], report: Report): void {
  const people = Array.isArray(header['people']) ? header['people'].filter(isRecord) : [];
  for (const line of lines) {
    if (line.type !== 'event') continue;
    const event = isRecord(line.body['body']) ? line.body['body'] : {};
    const signed = event['signed'];
    if (!isRecord(signed)) continue;
    const person = people.find((candidate) => candidate['id'] === signed['person']);
    const key = person?.['publicKey'];
    if (typeof key !== 'string') {
      report(line.line, 'PERSON_UNKNOWN', `${String(signed['person'])} is not among the people of the header`);
    } else if (!signs(key, signed['statement'], String(signed['signature']))) {
      report(line.line, 'STATEMENT_SIGNATURE_WRONG', `the statement is not signed by ${String(signed['person'])}`);
    }
  }
}

function signs(publicKeyPem: string, statement: unknown, signatureHex: string): boolean {
  try {
    return verify(
      null,
      Buffer.from(canonicalJson(statement)),
      createPublicKey(publicKeyPem),
      Buffer.from(signatureHex, 'hex'),
    );
  } catch {
    return false;
  }
}

function fingerprint(publicKeyPem: string): string {
  try {
    return sha256(createPublicKey(publicKeyPem).export({ type: 'spki', format: 'der' }));
  } catch {
    return 'unreadable';
  }
}
