// The identity endpoint as a process of the lab.

import { announce, processConfig } from '../kit/mod.ts';
import { identityOptions, startIdentity } from './server.ts';

announce(await startIdentity(identityOptions.parse(processConfig())));
