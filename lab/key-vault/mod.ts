// lab/key-vault: a strict simulation of Azure Key Vault's secrets, judged by the official client.

export { keyVaultOptions, startKeyVault, type KeyVaultOptions } from './server.ts';
