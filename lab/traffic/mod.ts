// lab/traffic: what clients do and what they see. requests.ts plans, outcome.ts sends through the official client and
// judges, rows.ts keeps count, traffic.ts runs the loops, main.ts and fork.ts put them into a process of their own.

export { startTraffic, type Traffic, type TrafficOptions } from './traffic.ts';
export { forkTraffic, type TrafficProcess } from './fork.ts';
export type { TrafficConfig } from './config.ts';
export { readTool, writeTool } from './requests.ts';
export {
  rowsMaxDefault,
  TrafficLog,
  type Origin,
  type Outcome,
  type Speaker,
  type TrafficRow,
  type TrafficSummary,
} from './rows.ts';
