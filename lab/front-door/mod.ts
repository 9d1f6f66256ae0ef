// lab/front-door: an Azure-Front-Door-like reverse proxy and the part of Resource Manager that moves its traffic.

export { frontDoorOptions, startFrontDoor, type FrontDoorOptions, type RunningFrontDoor } from './server.ts';
export type { ProxyCounts } from './proxy.ts';
