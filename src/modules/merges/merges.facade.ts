import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type Identity, reachable } from '../auth/identity.js';
import { Tasks } from '../tasks/tasks.facade.js';
import { Approvals } from './approval.js';
import { MergeJob } from './merge-job.entity.js';
import { type MergeJobDto, type MergeStatusDto, toMergeJobDto, type MergeQuery } from './merges.dto.js';
import { TaskTips } from './task-tips.js';
import { QueueMerge } from './queue-merge.js';

/** How far a task's merge is. */
@Injectable()
export class Merges {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
    private readonly approvals: Approvals,
    private readonly tips: TaskTips,
    private readonly queue: QueueMerge,
  ) {}

  async status(identity: Identity, task_id: number): Promise<MergeStatusDto> {
    const task = await this.tasks.getReachable(identity, task_id);
    const newest = await this.tips.newest(this.db.manager, task_id);
    const { verdict, attempt, refusal } = await this.approvals.of(this.db.manager, task_id, newest);
    const jobs = await this.db.manager.find(MergeJob, {
      where: { task_id, ...reachable(identity) },
      order: { created_at: 'DESC', id: 'DESC' },
    });
    return {
      task_id,
      review_verdict: verdict,
      review_attempt: attempt,
      merge_jobs: jobs.map(toMergeJobDto),
      can_merge: refusal === null && (task.status === 'in_approval' || task.status === 'merging'),
    };
  }

  /** @throws DomainError as `QueueMerge` */
  async merge(identity: Identity, task_id: number, { repo_id, strategy }: MergeQuery): Promise<MergeJobDto> {
    return toMergeJobDto(await this.queue.request(identity, task_id, repo_id, strategy ?? 'rebase'));
  }
}
