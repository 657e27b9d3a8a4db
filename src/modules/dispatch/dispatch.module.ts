import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Commands, loadCommands } from '../../config/commands.js';
import { ResolvedSettings } from '../../config/settings.js';
import { ServiceAddress } from '../../http/service-address.js';
import { AgentsModule } from '../agents/agents.module.js';
import { BudgetsModule } from '../budgets/budgets.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { TeamsModule } from '../teams/teams.module.js';
import { AgentRun } from './agent-run.entity.js';
import { AgentRunsController } from './agent-runs.controller.js';
import { DispatchStatus } from './dispatch-status.js';
import { Dispatcher } from './dispatcher.js';
import { PullWork } from './pull-work.js';
import { RunKeys } from './run-keys.js';
import { RunLifecycle } from './run-lifecycle.js';
import { Runs } from './runs.facade.js';
import { CommandRuntime } from './runtimes/command-runtime.js';
import { HttpRuntime } from './runtimes/http-runtime.js';
import { StartAgent } from './start-agent.js';
import { RunSupervisor } from './supervise-run.js';

@Module({
  imports: [TypeOrmModule.forFeature([AgentRun]), AgentsModule, BudgetsModule, TasksModule, TeamsModule],
  controllers: [AgentRunsController],
  providers: [
    { provide: Commands, inject: [ResolvedSettings], useFactory: loadCommands },
    RunLifecycle,
    RunKeys,
    ServiceAddress,
    CommandRuntime,
    HttpRuntime,
    RunSupervisor,
    Dispatcher,
    PullWork,
    StartAgent,
    DispatchStatus,
    Runs,
  ],
  exports: [Runs, DispatchStatus, Commands],
})
export class DispatchModule {}
