// journal: append-only segments on local disk that hold exchanges and relayed telemetry. `openJournal` recovers what a
// crash left (recovery.ts), gathers appends into groups (journal.ts, group.ts) and writes them to segments
// (segment-store.ts) through the file layer; reader.ts reads them back, verify.ts scrubs them. The bytes are stated in
// docs/journal-format.md.

export {
  recordKinds,
  type ExchangeAttempt,
  type ExchangeClose,
  type ExchangeOpen,
  type ExchangePart,
  type Journal,
  type JournalRecord,
  type JournalState,
  type NewRecord,
  type RecordKind,
  type TelemetryMeta,
} from './port.ts';
export { openJournal, type JournalOptions } from './journal.ts';
export { nodeFileLayer, type FileLayer, type OpenFile } from './file-layer.ts';
export { verifyJournal, type JournalVerification } from './verify.ts';
