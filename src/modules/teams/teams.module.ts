import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AgentsModule } from '../agents/agents.module.js';
import { RepositoriesModule } from '../repositories/repositories.module.js';
import { Team } from './team.entity.js';
import { TeamsController } from './teams.controller.js';
import { Teams } from './teams.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Team]), AgentsModule, RepositoriesModule],
  controllers: [TeamsController],
  providers: [Teams],
  exports: [Teams],
})
export class TeamsModule {}
