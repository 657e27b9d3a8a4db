import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/agents.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { TeamsModule } from '../teams/teams.module.js';
import { AgentSession } from './agent-session.entity.js';
import { BudgetsController } from './budgets.controller.js';
import { Budgets } from './budgets.service.js';
import { CostSummary } from './cost-summary.js';
import { SessionsController } from './sessions.controller.js';
import { AgentSessions } from './sessions.service.js';
import { StartSession } from './start-session.js';

@Module({
  imports: [TypeOrmModule.forFeature([AgentSession]), AgentsModule, TasksModule, TeamsModule],
  controllers: [SessionsController, BudgetsController],
  providers: [StartSession, AgentSessions, Budgets, CostSummary],
  exports: [AgentSessions, Budgets],
})
export class BudgetsModule {}
