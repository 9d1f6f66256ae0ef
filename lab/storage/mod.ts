// lab/storage: starts Azurite as a lab process and seeds it. `main.ts` is the same as a process of its own.

export { startAzurite, type AzuriteOptions, type RunningAzurite } from './azurite.ts';
export { seedStorage, type SeedStorageOptions } from './seed.ts';
