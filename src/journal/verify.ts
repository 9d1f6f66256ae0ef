// The scrub: reads every byte of a journal's folder and reports what it finds, without changing anything and without
// needing the lock, so that it can look at a running gateway's journal or at a copy.

import { describeError, worstVerdict, type Finding, type Verdict } from '#base';
import { nodeFileLayer, type FileLayer } from './file-layer.ts';
import { inspectSegment, segmentNames, type Inspection } from './inspect.ts';

export interface JournalVerification {
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  /** 0 when no segment could be read. */
  readonly firstSequence: number;
  readonly lastSequence: number;
}

export async function verifyJournal(
  directory: string,
  files: FileLayer = nodeFileLayer(),
): Promise<JournalVerification> {
  const findings: Finding[] = [];
  const good: Inspection[] = [];
  let expected: number | undefined;
  let names: string[] = [];
  try {
    names = await segmentNames(directory, files);
    if (names.length === 0) findings.push(finding('inconclusive', directory, 'no segment is in this folder'));
    for (const name of names) {
      const inspection = await inspectSegment(directory, files, name);
      good.push(inspection);
      findings.push(...findingsOf(inspection, expected));
      // Behind a damaged segment the next one's own header says where to go on.
      const known = inspection.trouble?.kind !== 'damaged' && inspection.segment;
      expected = known ? known.lastSequence + 1 : undefined;
    }
  } catch (error) {
    findings.push(finding('error', directory, describeError(error)));
  }
  const segments = good.flatMap((inspection) => inspection.segment ?? []);
  return {
    verdict: worstVerdict(findings.map((each) => each.verdict)),
    findings,
    segments: names.length,
    records: good.reduce((sum, inspection) => sum + inspection.records, 0),
    bytes: good.reduce((sum, inspection) => sum + inspection.size, 0),
    firstSequence: segments[0]?.firstSequence ?? 0,
    lastSequence: segments.at(-1)?.lastSequence ?? 0,
  };
}

function findingsOf(inspection: Inspection, expected: number | undefined): Finding[] {
  const { name, segment, trouble, records } = inspection;
  const findings: Finding[] = [];
  if (segment && expected !== undefined && segment.firstSequence !== expected) {
    const detail = `begins with record ${segment.firstSequence} where ${expected} must follow`;
    findings.push(finding('fail', name, detail));
  }
  if (trouble) {
    const detail = `byte ${trouble.offset}: ${trouble.problem}`;
    findings.push(finding(trouble.kind === 'damaged' ? 'fail' : 'inconclusive', name, detail));
  }
  if (findings.length === 0) findings.push(finding('pass', name, `${records} records`));
  return findings;
}

function finding(verdict: Verdict, subject: string, detail: string): Finding {
  if (verdict === 'pass') return { verdict, subject, detail };
  return { verdict, subject, detail, mend: mends[verdict] };
}

const mends = {
  inconclusive: 'a torn end is mended when the journal is opened; look again when nothing writes',
  fail: 'copy the folder away before anything else; see what the peer copy and the destinations hold',
  error: 'make the folder readable and look again',
} as const;
