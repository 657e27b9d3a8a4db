import { Module } from '@nestjs/common';
import { ToolCalls } from './call-tool.js';
import { McpController } from './mcp.controller.js';
import { AgentServer } from './serve-agent.js';
import { StatusWaits } from './status-waits.js';
import { ToolCatalog } from './tool-catalog.js';

@Module({
  controllers: [McpController],
  providers: [ToolCatalog, ToolCalls, StatusWaits, AgentServer],
})
export class McpModule {}
