// Is this Langfuse usable? Health and readiness say little (a frozen Redis hangs every call while health is green), so
// the keys are tried, a page of prompts is read, and the way it writes is found out.

import { z } from 'zod';
import { codeOf, describeError, Failure, type Finding } from '#base';
import type { ReadContext } from '../port.ts';
import type { Call, SiteClient } from './client.ts';
import { promptListSchema } from './prompt-form.ts';
import { parsed } from './prompt-reader.ts';

/** `events_only` (the default of v4), `dual` (v4 that also fills the older tables), or a server before v4. */
export type LangfuseMode = 'events_only' | 'dual' | 'v3';

const healthSchema = z.object({ status: z.string(), version: z.string() });
const projectsSchema = z.object({ data: z.array(z.object({ id: z.string(), name: z.string() })).min(1) });

export async function readHealth(client: SiteClient, context: ReadContext): Promise<{ version: string }> {
  const call = probeCall(client, context, { what: 'its health', path: 'health', authenticated: false });
  return { version: parsed(healthSchema, await client.json(call), { client, what: call.what }).version };
}

/** A route that only the older tables can answer tells the modes of v4 apart. */
export async function readMode(client: SiteClient, context: ReadContext): Promise<LangfuseMode> {
  const { version } = await readHealth(client, context);
  if (Number.parseInt(version, 10) < 4) return 'v3';
  const call = probeCall(client, context, { what: 'a page of traces', path: 'traces?limit=1' });
  const reply = await client.send(call);
  if (reply.status === 200) return 'dual';
  if (reply.status === 404 && reply.text.includes('events_only')) return 'events_only';
  throw client.failureOf(reply, call.what);
}

export async function probeSite(client: SiteClient, context: ReadContext): Promise<Finding[]> {
  return [
    await look('health', context, async () => `version ${(await readHealth(client, context)).version}`),
    await look('readiness', context, async () => {
      await client.json(probeCall(client, context, { what: 'its readiness', path: 'ready', authenticated: false }));
      return 'takes calls';
    }),
    await look('keys', context, async () => {
      const call = probeCall(client, context, { what: 'whose project these keys are', path: 'projects' });
      const [project] = parsed(projectsSchema, await client.json(call), { client, what: call.what }).data;
      return `project ${project?.name} (${project?.id})`;
    }),
    await look('prompts', context, async () => {
      const call = probeCall(client, context, { what: 'a page of prompts', path: 'v2/prompts?limit=1' });
      parsed(promptListSchema, await client.json(call), { client, what: call.what });
      return 'can be listed';
    }),
    await look('read-back', context, async () => {
      const mode = await readMode(client, context);
      if (mode !== 'v3') return `writes in mode ${mode}`;
      throw new Failure('LANGFUSE_UNSUPPORTED', 'a server before v4 has no API that traces could be read back with', {
        hint: 'upgrade to Langfuse 4',
      });
    }),
  ];
}

function probeCall(
  client: SiteClient,
  context: ReadContext,
  ask: { what: string; path: string; authenticated?: boolean },
): Call {
  const { path, ...rest } = ask;
  return { ...rest, method: 'GET', path: `/api/public/${path}`, deadlineMs: client.limits.probeDeadlineMs, context };
}

async function look(subject: string, context: ReadContext, action: () => Promise<string>): Promise<Finding> {
  try {
    return { verdict: 'pass', subject: `langfuse ${subject}`, detail: await action() };
  } catch (error) {
    context.signal.throwIfAborted();
    return {
      verdict: 'fail',
      subject: `langfuse ${subject}`,
      detail: `${codeOf(error)}: ${describeError(error)}`,
      mend: (error instanceof Failure ? error.hint : undefined) ?? 'see the log of the Langfuse server',
    };
  }
}
