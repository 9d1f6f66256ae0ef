// lab/databricks: a simulated workspace. `startDatabricks` for tests and in-process use, `main.ts` as a lab process.

export { startDatabricks, type DatabricksOptions, type RunningDatabricks } from './server.ts';
