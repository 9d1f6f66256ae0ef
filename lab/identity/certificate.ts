// The lab's own certificate authority and one certificate for loopback, made once per lab directory. Official clients
// refuse a token endpoint without https, so the lab gives them a real one.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface LabCertificate {
  /** Paths of the PEM files; `caFile` is what a stamp's `caFile` names. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM texts. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes the authority and the certificate on first use; later calls read the same files. */
export async function makeLabCertificate(directory: string): Promise<LabCertificate> {
  mkdirSync(directory, { recursive: true });
  const files = {
    caFile: join(directory, 'ca.pem'),
    certFile: join(directory, 'loopback.pem'),
    keyFile: join(directory, 'loopback.key.pem'),
  };
  if (!Object.values(files).every((file) => existsSync(file))) await makeFiles(files);
  const read = (file: string): string => readFileSync(file, 'utf8');
  return { ...files, ca: read(files.caFile), cert: read(files.certFile), key: read(files.keyFile) };
}

async function makeFiles(files: Pick<LabCertificate, 'caFile' | 'certFile' | 'keyFile'>): Promise<void> {
  const authority = await generate([{ name: 'commonName', value: 'Understudy lab authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const leaf = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  writeFileSync(files.keyFile, leaf.private, { mode: 0o600 });
  writeFileSync(files.certFile, leaf.cert);
  // Last, so that a killed start is noticed and repeated. The authority's private key is not kept.
  writeFileSync(files.caFile, authority.cert);
}
