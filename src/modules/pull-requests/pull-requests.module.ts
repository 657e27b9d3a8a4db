import { Module } from '@nestjs/common';
import { GithubModule } from '../github/github.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { WorktreesModule } from '../worktrees/worktrees.module.js';
import { PullRequestsController } from './pull-requests.controller.js';
import { PullRequests } from './pull-requests.service.js';

@Module({
  imports: [GithubModule, TasksModule, WorktreesModule],
  controllers: [PullRequestsController],
  providers: [PullRequests],
})
export class PullRequestsModule {}
