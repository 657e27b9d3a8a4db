import { Controller, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { type Request, type Response } from 'express';
import { DomainError } from '../../errors/domain-error.js';
import { noteTool } from '../../http/request-context.js';
import { AnyScope, CurrentIdentity } from '../auth/decorators.js';
import { type Identity } from '../auth/identity.js';
import { KnownOriginGuard } from './known-origin.guard.js';
import { AgentServer, toolCalled } from './serve-agent.js';
import { ToolCatalog } from './tool-catalog.js';

/**
 * The Model Context Protocol over Streamable HTTP, at the origin's root. Without sessions there is no stream to GET and
 * nothing to DELETE: both answer 405, as the protocol allows.
 */
@ApiExcludeController()
@Controller('mcp')
export class McpController {
  constructor(
    private readonly agents: AgentServer,
    private readonly catalog: ToolCatalog,
  ) {}

  @Post()
  @AnyScope()
  @UseGuards(KnownOriginGuard)
  handle(
    @CurrentIdentity() identity: Identity,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    // One message a request, as the protocol has it since 2025-06-18: each counts once against the caller's limit.
    if (Array.isArray(request.body))
      throw new DomainError('bad_request', 'One JSON-RPC message a request: batches are not taken');
    const name = toolCalled(request.body);
    if (name !== undefined && this.catalog.find(name) !== undefined) noteTool(name);
    return this.agents.serve(request, response, identity);
  }
}
