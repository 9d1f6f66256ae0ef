// Starts simulated models for tests, with the official client pointed at them.

import OpenAI from 'openai';
import type { ModelOptions } from './exchange.ts';
import { startModel } from './model.ts';
import type { RunningVendor } from '../kit/mod.ts';

export const labKey = 'lab-key-of-the-home-gateway';

export interface TestModel extends AsyncDisposable {
  readonly vendor: RunningVendor;
  readonly client: OpenAI;
  /** `http://127.0.0.1:…/v1` */
  readonly baseUrl: string;
}

export async function testModel(options: Partial<ModelOptions> = {}): Promise<TestModel> {
  const vendor = await startModel({
    name: 'model-test',
    port: 0,
    dataFile: ':memory:',
    apiKeys: { [labKey]: 'home-gateway' },
    models: ['gpt-4o', 'gpt-4o-2024-08-06'],
    region: 'swedencentral',
    ...options,
  });
  const baseUrl = `${vendor.url}/v1`;
  return {
    vendor,
    baseUrl,
    client: new OpenAI({ baseURL: baseUrl, apiKey: labKey, maxRetries: 0 }),
    [Symbol.asyncDispose]: () => vendor.close(),
  };
}
