// lab/kit: what all simulated vendors share: the HTTP server with its ledger and faults, and the process protocol.

export { Faults, faultSchema, type Fault } from './faults.ts';
export { VendorLedger, type AskedRow, type EffectRow } from './vendor-ledger.ts';
export {
  readBody,
  sendJson,
  startVendor,
  type RunningVendor,
  type VendorCall,
  type VendorHandler,
  type VendorOptions,
} from './server.ts';
export { announce, processConfig } from './process.ts';
