// cli: the command line. program.ts says what is offered, commands/ has one file per command, follow.ts shows a run live.

export { runCli } from './program.ts';
export type { CliWorld } from './context.ts';
