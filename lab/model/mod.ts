// lab/model: a simulated model endpoint. request.ts and its helpers check what comes in, answers.ts decides what the model
// says, completion.ts gives it OpenAI's form, stream.ts sends it as events, faults.ts holds what can go wrong.

export { startModel } from './model.ts';
export type { ModelOptions } from './exchange.ts';
export type { Manner } from './answers.ts';
export {
  contentFiltered,
  insufficientQuota,
  proxyFailure,
  rateLimited,
  serverFailure,
  specialFault,
  specialFaults,
  type Scope,
  type SpecialFault,
} from './faults.ts';
