// A verdict has four values. No evidence is never a pass.

export type Verdict = 'pass' | 'fail' | 'inconclusive' | 'error';

const severity: Record<Verdict, number> = { pass: 0, inconclusive: 1, error: 2, fail: 3 };

/** The worst of several verdicts; of none it is `inconclusive`, because nothing was shown. */
export function worstVerdict(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.length === 0) return 'inconclusive';
  return verdicts.reduce((worst, verdict) => (severity[verdict] > severity[worst] ? verdict : worst), 'pass');
}

/** One thing that was looked at, and what it showed. */
export interface Finding {
  readonly verdict: Verdict;
  /** Which thing, in the words of the stamp: `secret model-key`, `job nightly-features`. */
  readonly subject: string;
  /** What was seen. Never a secret value. */
  readonly detail: string;
  /** How to mend it; absent when the verdict is pass. */
  readonly mend?: string;
}
