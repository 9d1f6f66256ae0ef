// A key vault as a process of the lab.

import { announce, processConfig } from '../kit/mod.ts';
import { keyVaultOptions, startKeyVault } from './server.ts';

announce(await startKeyVault(keyVaultOptions.parse(processConfig())));
