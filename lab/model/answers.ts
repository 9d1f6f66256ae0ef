// What a simulated model says. The same family of model and the same messages always give the same answer, at whichever
// endpoint; instructions that can be followed mechanically are followed, everything else is answered with even prose.

import { canonicalJson, seededRandomness, sha256 } from '#base';
import { fillSchema, pairsIn } from './extraction.ts';
import { follow } from './instructions.ts';
import type { ChatRequest } from './request.ts';
import type { Tool } from './tools.ts';

/** How a model dresses its answers: a cheaper model may chat around what it was asked for. */
export type Manner = 'terse' | 'chatty';

export type Answer =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tool-call'; readonly name: string; readonly arguments: string };

/** `choice` is the index among `n`: only prose differs between choices. */
export function answerTo(request: ChatRequest, options: { manner: Manner; choice: number }): Answer {
  const prompt = request.messages.findLast((message) => message.role === 'user')?.text ?? '';
  const tool = toolToCall(request, prompt);
  if (tool) return { kind: 'tool-call', name: tool.name, arguments: argumentsFor(tool, prompt) };
  const last = request.messages.at(-1);
  if (last?.role === 'tool') return { kind: 'text', text: `The tool answered: ${last.text}` };
  switch (request.format) {
    case 'json_schema':
      return { kind: 'text', text: JSON.stringify(fillSchema(request.schema, prompt)) };
    case 'json_object':
      return { kind: 'text', text: JSON.stringify(pairsIn(prompt)) };
    case 'text': {
      const followed = follow(prompt);
      if (followed === undefined) return { kind: 'text', text: prose(request, { prompt, choice: options.choice }) };
      return { kind: 'text', text: dressed(followed, options.manner) };
    }
  }
}

/** Model names with a snapshot date belong to the family without it: `gpt-4o-2024-08-06` is `gpt-4o`. */
export function familyOf(model: string): string {
  return model.replace(/-\d{4}-\d{2}-\d{2}$/, '');
}

/** The tool the request forces, or the one the user names with `call <tool>`. A model never calls what it was not offered. */
function toolToCall(request: ChatRequest, prompt: string): Tool | undefined {
  const named = (name: string | undefined): Tool | undefined => request.tools.find((tool) => tool.name === name);
  const asked = /\bcall\s+(?:the\s+)?(?:tool\s+)?[`"']?([a-zA-Z0-9_-]+)/i.exec(prompt)?.[1];
  const alreadyAnswered = request.messages.at(-1)?.role === 'tool';
  switch (request.toolChoice.kind) {
    case 'none-allowed':
    case 'none':
      return undefined;
    case 'auto':
      return alreadyAnswered ? undefined : named(asked);
    case 'required':
      return named(asked) ?? request.tools[0];
    case 'named':
      return named(request.toolChoice.name);
  }
}

function argumentsFor(tool: Tool, prompt: string): string {
  return tool.parameters === undefined ? '{}' : JSON.stringify(fillSchema(tool.parameters, prompt));
}

function dressed(followed: { text: string; json: boolean }, manner: Manner): string {
  if (manner === 'terse') return followed.text;
  return followed.json
    ? `Here is the JSON:\n\`\`\`json\n${followed.text}\n\`\`\``
    : `Sure! The answer is: ${followed.text}`;
}

const vocabulary =
  'the a region answer stays ready while traffic moves over to another quiet harbour and every record keeps its place because nothing was lost between two copies of one journal so people can read what happened later without doubt'.split(
    ' ',
  );

const proseWordsMax = 2_000;

function prose(request: ChatRequest, options: { prompt: string; choice: number }): string {
  const seed = sha256(
    `${familyOf(request.model)}\n${options.choice}\n${canonicalJson(request.messages.map((message) => [message.role, message.text]))}`,
  );
  const randomness = seededRandomness(Number.parseInt(seed.slice(0, 8), 16));
  const asked = /\bin\s+(\d{1,4})\s+words\b/i.exec(options.prompt)?.[1];
  const length = asked ? Math.min(Number(asked), proseWordsMax) : 12 + Math.floor(randomness.fraction() * 24);
  const words = Array.from(
    { length },
    () => vocabulary[Math.floor(randomness.fraction() * vocabulary.length)] ?? 'the',
  ).join(' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
