// gateway: the data plane. An OpenAI-compatible server that answers while any declared answer is possible, and leaves a
// durable record of every answer.
//
// surface (path, key) → chat (request, route, mode) → exchange (ids, `open`) → ladder (rungs, retries) → try-upstream
// (credential, body, epoch) → attempt (call, judgement) → reply / reply-stream (bytes, `part`, `close`, then the end).

export { createGateway } from './gateway.ts';
export { recoverInterrupted, type Recovery } from './recover.ts';
export type {
  AuthorityView,
  Gateway,
  GatewayOptions,
  GatewayState,
  LaneName,
  LaneState,
  LogLine,
  Mount,
  UpstreamState,
} from './port.ts';
