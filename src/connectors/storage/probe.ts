// Is the account of a site usable? Looking changes nothing; the write-read probe writes one blob of its own into the probe
// container and takes it away again.

import { Failure, sha256, type Finding, type Site } from '#base';
import { azureFailure, findingOf, statusOf } from '../azure/mod.ts';
import type { ReadContext } from '../port.ts';
import type { AccountParts } from './inventory.ts';
import { readContainer } from './read.ts';

export async function probeStorage(site: Site, context: ReadContext, parts: AccountParts): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of [...parts.dependency.containers, parts.dependency.probeContainer]) {
    const subject = `container ${name} at ${site}`;
    try {
      const found = await readContainer(parts.accounts[site], name, context);
      findings.push(found ? { verdict: 'pass', subject, detail: 'present' } : missing(subject, name, parts));
    } catch (error) {
      context.signal.throwIfAborted();
      findings.push(findingOf(subject, azureFailure('STORAGE', subject, error)));
      break; // The account, not the container: asking for the others would only take as long again.
    }
  }
  return findings;
}

function missing(subject: string, name: string, parts: AccountParts): Finding {
  const probe = name === parts.dependency.probeContainer;
  const mend = probe ? `create an empty container ${name} in this account` : 'run `understudy sync`';
  return { verdict: 'fail', subject, detail: 'the container does not exist', mend };
}

/**
 * Writes, reads back and deletes a blob named after the act. The container must be there already: one made here would
 * stay behind, or, taken away again, would block its name for half a minute and more.
 */
export async function writeReadProbe(
  site: Site,
  context: ReadContext & { readonly act: string },
  parts: AccountParts,
): Promise<Finding> {
  const container = parts.dependency.probeContainer;
  const subject = `storage ${parts.dependency.id} at ${site}`;
  const account = parts.accounts[site];
  const name = `understudy/${sha256(context.act).slice(0, 32)}.txt`;
  const content = `understudy write-read probe ${context.act}\n`;
  let written = false;
  try {
    if (!(await readContainer(account, container, context))) return missing(subject, container, parts);
    written = true; // From here on a blob may be there, whatever the answer says.
    await account.probeWrite(context, (service, abortSignal) =>
      service
        .getContainerClient(container)
        .getBlockBlobClient(name)
        .upload(content, Buffer.byteLength(content), { abortSignal }),
    );
    const read = await account.read(context, (service, abortSignal) =>
      service.getContainerClient(container).getBlobClient(name).downloadToBuffer(0, undefined, { abortSignal }),
    );
    if (read.toString('utf8') === content) {
      await removeProbe(account, { container, name }, context);
      written = false;
      return { verdict: 'pass', subject, detail: `a blob was written to ${container}, read back and deleted` };
    }
    return {
      verdict: 'fail',
      subject,
      detail: 'read back something else than was written',
      mend: 'look at the account',
    };
  } catch (error) {
    context.signal.throwIfAborted();
    return findingOf(subject, error instanceof Failure ? error : azureFailure('STORAGE', subject, error));
  } finally {
    // Also when the caller has given up meanwhile: what was written is taken away, within its own deadline.
    const signal = new AbortController().signal;
    if (written) await removeProbe(account, { container, name }, { signal }).catch(() => undefined);
  }
}

async function removeProbe(
  account: AccountParts['accounts'][Site],
  blob: { container: string; name: string },
  context: ReadContext,
): Promise<void> {
  try {
    await account.probeWrite(context, (service, abortSignal) =>
      service.getContainerClient(blob.container).getBlobClient(blob.name).delete({ abortSignal }),
    );
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}
