// ledger: the control plane's durable truth. An event log with expected sequence and a compare-and-set map (port.ts), its
// embedded form in one SQLite file (sqlite.ts), and the lease that says which site may act: the grantor lives beside the
// ledger, a holder in each region's process. Roles and epoch change in the transaction of the event that says why.

export type { Cell, CellWrite, Ledger, LedgerEvent, NewEvent } from './port.ts';
export { authorityKey, foundingAuthority, type Authority } from './authority.ts';
export { actFenced } from './errors.ts';
export { appendBytesMax } from './limits.ts';
export { openSqliteLedger, type SqliteLedgerOptions } from './sqlite.ts';
export {
  LeaseGrantor,
  type AppendWith,
  type AuthorityChange,
  type LeaseGrantorOptions,
  type Renewal,
} from './lease-grantor.ts';
export { LeaseHolder, type Grant, type HolderState, type RequestToken } from './lease-holder.ts';
export { clockRateAllowance, leaseTtlMsDefault } from './lease-rules.ts';
