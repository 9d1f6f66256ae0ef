// control: the control plane. operations.ts is the only door that changes the world; server.ts opens it to people over
// HTTP, client.ts calls it; controller.ts is the process; site-agent.ts is its half inside each site's own process.

export { agentClient } from './agent-client.ts';
export { controlClient, type ControlClient } from './client.ts';
export { connect, deletionsOf, replicatedOf, type Connectors, type ConnectSources } from './connect.ts';
export { startController, type ControllerOptions, type RunningController } from './controller.ts';
export { createSiteAgent, type RunningSiteAgent, type SiteAgentOptions } from './site-agent.ts';
export { signStatement } from './signed.ts';
export { assess, type Assessment, type Status } from './status.ts';
export { tokenSigner, tokenVerifier, type TokenSigner, type TokenVerifier } from './tokens.ts';
