import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Agent } from './agent.entity.js';
import { AgentsController } from './agents.controller.js';
import { Agents } from './agents.service.js';
import { UpdateAgent } from './update-agent.js';

@Module({
  imports: [TypeOrmModule.forFeature([Agent])],
  controllers: [AgentsController],
  providers: [Agents, UpdateAgent],
  exports: [Agents],
})
export class AgentsModule {}
