// behavior: what decides how a route's answers behave, as content with a digest. Narrow for now: the digest over tool
// declarations and mode, and the withholding of tools in no-write mode. All of it is pure.

export { behaviorDigest, type BehaviorSource } from './digest.ts';
export { withholdTools, type ChatRequest, type Refusal, type Withheld } from './withhold.ts';
