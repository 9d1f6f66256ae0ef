// The front door as a process of the lab. It announces the Resource Manager address, and the public one beside it.

import { announce, processConfig } from '../kit/mod.ts';
import { frontDoorOptions, startFrontDoor } from './server.ts';

announce(await startFrontDoor(frontDoorOptions.parse(processConfig())));
