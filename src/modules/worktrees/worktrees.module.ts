import { Module } from '@nestjs/common';
import { RepositoriesModule } from '../repositories/repositories.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { Changes } from './changes.service.js';
import { PushBranch } from './push-branch.service.js';
import { RepositoryLock } from './repository-lock.js';
import { TaskRepositories } from './task-repositories.service.js';
import { WorktreesController } from './worktrees.controller.js';
import { Worktrees } from './worktrees.service.js';

@Module({
  imports: [RepositoriesModule, TasksModule],
  controllers: [WorktreesController],
  providers: [TaskRepositories, RepositoryLock, Worktrees, Changes, PushBranch],
  exports: [TaskRepositories],
})
export class WorktreesModule {}
