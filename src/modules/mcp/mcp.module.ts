import { Module } from '@nestjs/common';
import { ToolCalls } from './call-tool.js';
import { McpController } from './mcp.controller.js';
import { AgentServer } from './serve-agent.js';
import { TaskWaits } from './task-waits.js';
import { ToolCatalog } from './tool-catalog.js';

@Module({
  controllers: [McpController],
  providers: [ToolCatalog, ToolCalls, TaskWaits, AgentServer],
})
export class McpModule {}
