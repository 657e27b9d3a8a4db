import { Module } from '@nestjs/common';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { RepositoriesModule } from '../repositories/repositories.module.js';
import { ReviewsModule } from '../reviews/reviews.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { WorktreesModule } from '../worktrees/worktrees.module.js';
import { Approvals } from './approval.js';
import { AutoMerge } from './auto-merge.js';
import { CarryMerge } from './carry-merge.js';
import { MergeQueue } from './merge-queue.js';
import { MergesController } from './merges.controller.js';
import { Merges } from './merges.facade.js';
import { QueueMerge } from './queue-merge.js';
import { RunChecks } from './run-checks.js';
import { SettleMerge } from './settle-merge.js';
import { TaskTips } from './task-tips.js';

@Module({
  imports: [DispatchModule, RepositoriesModule, ReviewsModule, TasksModule, WorktreesModule],
  controllers: [MergesController],
  providers: [
    TaskTips,
    Approvals,
    QueueMerge,
    SettleMerge,
    RunChecks,
    CarryMerge,
    AutoMerge,
    MergeQueue,
    Merges,
  ],
  exports: [Merges],
})
export class MergesModule {}
