import { type NextFunction, type Request, type Response } from 'express';
import { newId } from '../database/new-id.js';
import { outerContext } from './in-process.js';
import { withRequestContext } from './request-context.js';

const ACCEPTABLE_ID = /^[\w.:-]{1,128}$/;

const given = (request: Request, header: string): string | undefined => {
  const value = request.get(header);
  return value !== undefined && ACCEPTABLE_ID.test(value) ? value : undefined;
};

/** Names the request (`X-Request-ID`, `X-Trace-ID`, echoed or new), times it, and lets everything below know both. */
export function requestHeaders(request: Request, response: Response, next: NextFunction): void {
  const started = process.hrtime.bigint();
  const request_id = given(request, 'x-request-id') ?? newId();
  const trace_id = given(request, 'x-trace-id') ?? request_id;
  response.setHeader('X-Request-ID', request_id);
  response.setHeader('X-Trace-ID', trace_id);
  const writeHead = response.writeHead.bind(response);
  response.writeHead = ((...args: Parameters<typeof writeHead>) => {
    if (!response.headersSent)
      response.setHeader(
        'X-Request-Duration-Ms',
        (Number(process.hrtime.bigint() - started) / 1e6).toFixed(2),
      );
    return writeHead(...args);
  }) as typeof response.writeHead;
  // What the service asks itself is part of the request that it serves.
  withRequestContext(outerContext(request) ?? { request_id, trace_id }, next);
}

/** `/api/v1/orgs/` → `/api/v1/orgs`, keeping method and body (307). */
export function withoutTrailingSlash(request: Request, response: Response, next: NextFunction): void {
  const [path = '', query] = request.originalUrl.split('?', 2);
  if (!path.startsWith('/api/') || !path.endsWith('/')) {
    next();
    return;
  }
  response.redirect(307, path.replace(/\/+$/, '') + (query === undefined ? '' : `?${query}`));
}
