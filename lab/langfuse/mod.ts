// lab/langfuse: a simulated Langfuse 4.16 (`events_only`): OTLP intake, prompts, and the read APIs, with the store's
// rules for replays and a look at its truth for the lab. `server.ts` starts it, `main.ts` runs it as a process.

export { startLangfuse, type LangfuseOptions } from './server.ts';
export type { LangfuseProject } from './authentication.ts';
export { readLabSpans, type LabSpan, type LabSpansPage } from './lab-spans.ts';
