// lab/identity: a Microsoft-Entra-like token endpoint over https on loopback, the lab's certificate authority, and the
// token verification that other simulated vendors use.

export { makeLabCertificate, type LabCertificate } from './certificate.ts';
export { identityOptions, startIdentity, type IdentityOptions, type RunningIdentity } from './server.ts';
export { labSigningKey, tokenVerifier, type SigningKey, type VerifiedToken } from './tokens.ts';
