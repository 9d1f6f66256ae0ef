// base: what every other folder stands on. Errors with codes, verdicts, digests, canonical JSON, durations, ids, and the
// ports for time and randomness. Nothing here knows what a stamp is, except the names of its two sites.

export { assert, codeOf, describeError, Failure, unreachable, type FailureOptions, type Next } from './errors.ts';
export { worstVerdict, type Finding, type Verdict } from './verdict.ts';
export { canonicalJson, isRecord, tryParseJson, type Json } from './json.ts';
export { digestOf, equalInConstantTime, hmacSha256, sha256 } from './digest.ts';
export { formatDuration, parseDuration } from './duration.ts';
export { ManualClock, systemClock, type Clock } from './clock.ts';
export { seededRandomness, systemRandomness, type Randomness } from './randomness.ts';
export { newId, randomHex } from './ids.ts';
export { compareEpochs, formatEpoch, parseEpoch, type Epoch } from './epoch.ts';
export { otherSite, sites, type Role, type Site } from './site.ts';
