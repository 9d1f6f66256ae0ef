// connectors: the code that speaks each vendor's real API. One folder per vendor, the same file names in each.

export type * from './port.ts';
export { createModel, type ModelConnector, type ModelOptions } from './model/connector.ts';
export { createDatabricks, type DatabricksConnector, type DatabricksOptions } from './databricks/connector.ts';
export { createIdentity, type IdentityConnector, type IdentityOptions } from './identity/connector.ts';
export { createKeyVault, type KeyVaultConnector, type KeyVaultOptions } from './key-vault/connector.ts';
export { createStorage, type StorageConnector, type StorageOptions } from './storage/connector.ts';
export { createTraffic, type TrafficConnector, type TrafficOptions } from './traffic/connector.ts';
export { createLangfuse, type LangfuseConnector, type LangfuseOptions } from './langfuse/connector.ts';
