import { Injectable } from '@nestjs/common';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CallToolRequestSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
} from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { type Request, type Response } from 'express';
import { VERSION } from '../../config/version.js';
import { type Identity } from '../auth/identity.js';
import { type Caller, ToolCalls } from './call-tool.js';
import { ToolCatalog } from './tool-catalog.js';

const INSTRUCTIONS =
  'Entourage turns GitHub issues into tasks that agents work on. whoami tells who you are; get_task and get_context ' +
  'tell what to do. Under a run: heartbeat_run while you work, save_context for what a later attempt must know, then ' +
  'finish_run or fail_run. To wait, use wait_for_task_completion instead of asking again. An error says what to do.';

/** Shared: making one costs more than answering a request. Unused, since nothing is asked of clients. */
const VALIDATOR = new AjvJsonSchemaValidator();

/** Speaks the protocol for one request. Nothing is kept from one to the next, so that any process answers any of them. */
@Injectable()
export class AgentServer {
  constructor(
    private readonly catalog: ToolCatalog,
    private readonly calls: ToolCalls,
  ) {}

  async serve(request: Request, response: Response, identity: Identity): Promise<void> {
    const server = new McpServer(
      { name: 'entourage', title: 'Entourage', version: VERSION },
      { instructions: INSTRUCTIONS, jsonSchemaValidator: VALIDATOR },
    );
    // Not in the constructor, which would promise that lists of tools change.
    server.server.registerCapabilities({ tools: {} });
    server.server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: this.catalog.listFor(identity),
    }));
    server.server.setRequestHandler(
      CallToolRequestSchema,
      ({ params }, { signal, sendNotification, _meta }) => {
        const offered = this.catalog.find(params.name);
        if (offered === undefined)
          throw new McpError(ErrorCode.InvalidParams, `There is no tool named ${params.name}`);
        const progressToken = _meta?.progressToken;
        const progress: Caller['progress'] = (seconds, total, message) => {
          if (progressToken === undefined) return;
          void sendNotification({
            method: 'notifications/progress',
            params: { progressToken, progress: seconds, total, message },
          }).catch(() => undefined);
        };
        return this.calls.call(offered, params.arguments ?? {}, { request, identity, signal, progress });
      },
    );
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: !this.mayWait(request.body) });
    // Also when the client goes away: that ends what is still under way for it.
    response.once('close', () => void server.close());
    await server.connect(transport);
    await transport.handleRequest(request, response, request.body ?? null);
  }

  /** What may wait is answered as a stream, which signs of life keep open. */
  private mayWait(body: unknown): boolean {
    return this.catalog.find(toolCalled(body) ?? '')?.tool.waits === true;
  }
}

/** The name in a call of a tool, as the client gives it. */
export function toolCalled(body: unknown): string | undefined {
  const { method, params } = (body ?? {}) as { method?: unknown; params?: { name?: unknown } | null };
  return method === 'tools/call' && typeof params?.name === 'string' ? params.name : undefined;
}
