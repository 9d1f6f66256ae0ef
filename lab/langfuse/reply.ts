// The shapes in which Langfuse answers: its error objects, its validation errors, and the page of its web framework for
// routes that do not exist. Each shape is as recorded from server 4.16.0.

import type { ServerResponse } from 'node:http';
import type { z } from 'zod';
import { sendJson } from '../kit/mod.ts';

/** An error that ends the call with Langfuse's own body. */
export class LangfuseError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super(JSON.stringify(body));
    this.name = 'LangfuseError';
    this.status = status;
    this.body = body;
  }
}

/** `{message, error}`: errors of the newer routes, e.g. prompts. */
export function namedError(status: number, message: string, error: string): LangfuseError {
  return new LangfuseError(status, { message, error });
}

export function notFound(message: string): LangfuseError {
  return namedError(404, message, 'LangfuseNotFoundError');
}

export function invalidRequest(message: string): LangfuseError {
  return namedError(400, message, 'InvalidRequestError');
}

/** Validation errors carry the validator's issues. */
export function invalidData(error: z.ZodError): LangfuseError {
  return new LangfuseError(400, { message: 'Invalid request data', error: error.issues });
}

export function methodNotAllowed(): LangfuseError {
  return namedError(405, 'Method not allowed', 'MethodNotAllowedError');
}

export const eventsOnlyMessage =
  'This endpoint is not available on deployments running in Langfuse v4 events_only mode. ' +
  'Learn more about Langfuse v4 at: https://langfuse.com/docs/v4';

/** Routes that only the older data model has. */
export function goneInEventsOnly(): LangfuseError {
  return new LangfuseError(404, { message: eventsOnlyMessage });
}

/** Unknown routes reach the web framework, which answers with a page. */
export function sendHtmlNotFound(response: ServerResponse): void {
  const page =
    '<!DOCTYPE html><html lang="en"><head><meta charSet="utf-8"/>' +
    '<title>404: This page could not be found.</title></head><body><h1>404</h1></body></html>';
  response.writeHead(404, { 'content-type': 'text/html; charset=utf-8', 'content-length': Buffer.byteLength(page) });
  response.end(page);
}

/** Plain text, as the web framework's body parser answers. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

export function sendError(response: ServerResponse, error: LangfuseError): void {
  sendJson(response, error.status, error.body);
}
