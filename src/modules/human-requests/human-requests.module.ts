import { Module } from '@nestjs/common';
import { AgentsModule } from '../agents/agents.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { TeamsModule } from '../teams/teams.module.js';
import { AnswerWaits } from './answer-waits.js';
import { HumanRequestsController } from './human-requests.controller.js';
import { HumanRequests } from './human-requests.service.js';
import { RequestExpiry } from './request-expiry.js';

@Module({
  imports: [AgentsModule, TasksModule, TeamsModule],
  controllers: [HumanRequestsController],
  providers: [AnswerWaits, HumanRequests, RequestExpiry],
  exports: [HumanRequests],
})
export class HumanRequestsModule {}
