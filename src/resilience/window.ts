// A sliding window of counts, kept in ten buckets: cheap to move on, exact to a tenth of its length. A window is a plain
// value; every function returns a new one.

/** Buckets per window: the window's edge is exact to a tenth of its length. */
const bucketCount = 10;

interface Bucket {
  readonly number: number;
  readonly total: number;
  readonly marked: number;
}

/** Counts of everything seen, and of the part that was marked (failed calls; retries), by time. */
export type SlidingWindow = readonly Bucket[];

export const emptyWindow: SlidingWindow = [];

/** The window with one more count at `atMs` (monotonic milliseconds). */
export function countIn(
  window: SlidingWindow,
  seen: { readonly atMs: number; readonly windowMs: number; readonly total: number; readonly marked: number },
): SlidingWindow {
  const number = bucketNumber(seen.atMs, seen.windowMs);
  const newest = window[window.length - 1];
  if (newest && newest.number >= number) {
    const grown = { number: newest.number, total: newest.total + seen.total, marked: newest.marked + seen.marked };
    return [...window.slice(0, -1), grown];
  }
  const kept = window.filter((bucket) => bucket.number > number - bucketCount);
  return [...kept, { number, total: seen.total, marked: seen.marked }];
}

/** What lies inside the window at `atMs`. */
export function countsOf(
  window: SlidingWindow,
  at: { readonly atMs: number; readonly windowMs: number },
): { readonly total: number; readonly marked: number } {
  const oldest = bucketNumber(at.atMs, at.windowMs) - bucketCount;
  let total = 0;
  let marked = 0;
  for (const bucket of window) {
    if (bucket.number <= oldest) continue;
    total += bucket.total;
    marked += bucket.marked;
  }
  return { total, marked };
}

function bucketNumber(atMs: number, windowMs: number): number {
  return Math.floor(atMs / Math.max(1, windowMs / bucketCount));
}
