import { type DomainError } from '../../errors/domain-error.js';
import { ERROR_CODES } from '../../errors/error-codes.js';
import { problemJson } from '../../http/problem.filter.js';
import { type Identity } from '../auth/identity.js';
import { type Route } from './tools/tool.js';
import { type TaskWaits } from './task-waits.js';

/** What a route answered, parsed. */
export interface RouteAnswer {
  body: unknown;
  /** Where the list goes on. */
  next_cursor?: string;
}

/** A call of a tool, as the tool sees it. */
export interface ToolCall {
  args: Record<string, unknown>;
  identity: Identity;
  waits: TaskWaits;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
  /** Calls a route as the caller, or with another key. @throws RouteRefused */
  send: (args?: Record<string, unknown>, route?: Route, api_key?: string) => Promise<RouteAnswer>;
  /** Tells a client that asked for it how the call is getting on. */
  progress: (seconds: number, total: number, message: string) => void;
}

/** A route's answer that is not 2xx. */
export class RouteRefused extends Error {
  constructor(
    readonly status: number,
    readonly text: string,
    readonly retryAfter: string | undefined,
  ) {
    super(`API error ${status}`);
    this.name = 'RouteRefused';
  }

  /** Of what is refused before a route is asked, as the route would. */
  static as(error: DomainError): RouteRefused {
    return new RouteRefused(ERROR_CODES[error.code], problemJson(error), undefined);
  }
}
