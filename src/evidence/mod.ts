// evidence: the signed, hash-chained record of a run, and its addenda. `sealEvidence` writes it once, `verifyEvidence`
// needs nothing but the file, `verifyRegister` notices a file that is gone.

export { evidenceFile, evidenceFormat, sealEvidence, type EvidenceContent, type Sealed, type SealKey } from './seal.ts';
export {
  verifyEvidence,
  verifyEvidenceText,
  type EvidenceProblem,
  type Verification,
  type VerifyOptions,
} from './verify.ts';
export { enterInRegister, verifyRegister, type RegisterVerification } from './register.ts';
