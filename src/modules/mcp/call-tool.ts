import { Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { type Request } from 'express';
import { type Server } from 'node:http';
import { DomainError } from '../../errors/domain-error.js';
import { callInProcess } from '../../http/in-process.js';
import { type Identity } from '../auth/identity.js';
import { adviceFor } from './advice.js';
import { readArguments } from './read-arguments.js';
import { TaskWaits } from './task-waits.js';
import { type RouteAnswer, RouteRefused, type ToolCall } from './tool-call.js';
import { type OfferedTool } from './tool-catalog.js';
import { type Route, type Tool } from './tools/tool.js';

export interface Caller {
  request: Request;
  identity: Identity;
  signal: AbortSignal;
  progress: ToolCall['progress'];
}

/** Calls the routes that tools stand for, with the caller's own credential. */
@Injectable()
export class ToolCalls {
  private readonly logger = new Logger(ToolCalls.name);

  constructor(
    private readonly adapter: HttpAdapterHost,
    private readonly waits: TaskWaits,
  ) {}

  /** Failures are answers too: an agent must read them. */
  async call(offered: OfferedTool, given: Record<string, unknown>, caller: Caller): Promise<CallToolResult> {
    const { tool } = offered;
    try {
      const args = readArguments(offered, caller.identity, given);
      const send: ToolCall['send'] = (to = args, route = tool.route, api_key) =>
        this.send(tool, route, to, caller, api_key);
      const { identity, signal, progress } = caller;
      if (tool.run !== undefined)
        return result(tool, {
          body: await tool.run({ args, identity, waits: this.waits, signal, progress, send }),
        });
      return result(tool, await send());
    } catch (error) {
      if (error instanceof RouteRefused) return failure(error);
      // The protocol's own answer would show what went wrong inside.
      if (!caller.signal.aborted) this.logger.error({ err: error, tool: tool.name }, 'a tool failed');
      return failure(RouteRefused.as(new DomainError('internal_error', 'Internal Server Error')));
    }
  }

  private async send(
    tool: Tool,
    route: Route,
    args: Record<string, unknown>,
    { request, signal }: Caller,
    api_key: string | undefined,
  ): Promise<RouteAnswer> {
    const { method, path, body } = requestOf(tool, route, args);
    const answer = await callInProcess(this.adapter.httpAdapter.getHttpServer() as Server, {
      method,
      path,
      headers: api_key === undefined ? credentialOf(request) : { 'x-api-key': api_key },
      ...(body === undefined ? {} : { body }),
      remote: request.ip,
      signal,
    });
    if (answer.status < 200 || answer.status > 299)
      throw new RouteRefused(answer.status, answer.text, answer.headers['retry-after']);
    const next_cursor = /[?&]cursor=([^&>]+)/.exec(String(answer.headers['link'] ?? ''))?.[1];
    return {
      body: JSON.parse(answer.text) as unknown,
      ...(next_cursor === undefined ? {} : { next_cursor: decodeURIComponent(next_cursor) }),
    };
  }
}

/** Arguments fill the path; the rest goes into the query, or into the body where the method has one. */
function requestOf(
  tool: Tool,
  route: Route,
  args: Record<string, unknown>,
): { method: string; path: string; body?: string } {
  const [method = '', template = ''] = route.split(' ');
  const rest = new Map(Object.entries({ ...args, ...tool.adds }));
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(rest.get(name));
    rest.delete(name);
    return encodeURIComponent(value);
  });
  const hasBody = method === 'POST' || method === 'PATCH';
  const query = new URLSearchParams();
  for (const [name, value] of rest)
    if (value !== undefined && (!hasBody || tool.query?.includes(name))) {
      query.set(name, typeof value === 'string' ? value : JSON.stringify(value));
      rest.delete(name);
    }
  const search = query.size > 0 ? `?${query.toString()}` : '';
  return {
    method,
    path: `/api/v1${path}${search}`,
    ...(hasBody ? { body: JSON.stringify(Object.fromEntries(rest)) } : {}),
  };
}

function credentialOf(request: Request): Record<string, string> {
  const given = ['x-api-key', 'authorization'].map((name) => [name, request.get(name)] as const);
  return Object.fromEntries(given.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** A list is wrapped for programs; its text is the bare list, as older clients read it. */
function result({ shape }: Tool, { body, next_cursor }: RouteAnswer): CallToolResult {
  const wrapped = Array.isArray(body) ? { items: body, ...(next_cursor ? { next_cursor } : {}) } : body;
  return {
    content: [{ type: 'text', text: shape?.text?.(body) ?? JSON.stringify(body) }],
    structuredContent: (shape?.of(body) ?? wrapped) as Record<string, unknown>,
  };
}

/** Begins as clients of the earlier implementation expect it to; the advice comes after. */
function failure({ status, text, retryAfter }: RouteRefused): CallToolResult {
  const advice = adviceFor(codeOf(text), retryAfter);
  const message = `Error: API error ${status}: ${text}${advice === null ? '' : `\n\nWhat to do: ${advice}`}`;
  return { isError: true, content: [{ type: 'text', text: message }] };
}

function codeOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { code?: string } | null)?.code;
  } catch {
    return undefined;
  }
}
