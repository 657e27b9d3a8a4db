import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { MERGES_CHANNEL } from '../../database/channels.js';
import { violatesUnique } from '../../errors/database-errors.js';
import { DomainError } from '../../errors/domain-error.js';
import { type Actor, type Identity, systemActor } from '../auth/identity.js';
import { type CodeRepository } from '../repositories/repository.entity.js';
import { type Task } from '../tasks/task.entity.js';
import { lockTask, recordEvent, TaskTransitions } from '../tasks/tasks.facade.js';
import { TaskRepositories } from '../worktrees/worktrees.facade.js';
import { Approvals } from './approval.js';
import { TaskTips } from './task-tips.js';
import { MergeJob, type MergeStrategy } from './merge-job.entity.js';

export interface MergeRequest {
  task_id: number;
  repository: CodeRepository;
  commit: string;
  /** The newest of the task's branch over all repositories: what the approval must be of. */
  newest: string | null;
  strategy: MergeStrategy;
  actor: Actor;
}

/** Puts approved work into the queue. */
@Injectable()
export class QueueMerge {
  constructor(
    private readonly db: DataSource,
    private readonly found: TaskRepositories,
    private readonly approvals: Approvals,
    private readonly tips: TaskTips,
    private readonly transitions: TaskTransitions,
  ) {}

  /** @throws DomainError `not_approved`, `merge_already_queued`, `branch_not_found`, and as `TaskRepositories` */
  async request(
    identity: Identity,
    task_id: number,
    repo_id: string,
    strategy: MergeStrategy,
  ): Promise<MergeJob> {
    const { task, repository, git } = await this.found.toWork(identity, task_id, repo_id);
    const commit = await git.tipOf(task.branch);
    if (commit === null)
      throw new DomainError(
        'branch_not_found',
        'The task has no branch in this repository: nothing to merge',
      );
    const newest = await this.tips.newest(this.db.manager, task_id);
    const request = { task_id, repository, commit, newest, strategy, actor: identity.actor };
    return this.db.transaction((manager) => this.queue(manager, request));
  }

  /** In the manager's transaction. The task is `merging` from here on: nobody changes what is being merged. */
  async queue(manager: EntityManager, request: MergeRequest): Promise<MergeJob> {
    const { task_id, repository, newest, actor } = request;
    const task = await lockTask(manager, task_id);
    if (task.status !== 'in_approval' && task.status !== 'merging')
      throw new DomainError('not_approved', `The task is '${task.status}': only approved work is merged`);
    const { refusal, attempt } = await this.approvals.of(manager, task_id, newest);
    if (refusal !== null) throw new DomainError('not_approved', refusal);
    const job = await this.insert(manager, task, request);
    await recordEvent(manager, {
      org_id: task.org_id,
      task_id,
      type: 'merge.queued',
      data: {
        job_id: job.id,
        repo_id: repository.id,
        strategy: job.strategy,
        commit: job.head_commit,
        review_attempt: attempt,
      },
      actor,
      correlation_id: task.correlation_id,
    });
    if (task.status === 'in_approval')
      await this.transitions.transition(manager, {
        task_id,
        to: 'merging',
        actor: actor.type === 'agent' ? systemActor('merges') : actor,
        reason: 'merge_queued',
      });
    await manager.query('SELECT pg_notify($1, $2)', [MERGES_CHANNEL, '']);
    return job;
  }

  private async insert(
    manager: EntityManager,
    task: Task,
    { repository, commit, strategy, actor }: MergeRequest,
  ): Promise<MergeJob> {
    const { org_id, team_id, correlation_id } = task;
    try {
      return await manager.save(
        manager.create(MergeJob, {
          org_id,
          team_id,
          task_id: task.id,
          repo_id: repository.id,
          repo_path: repository.local_path,
          strategy,
          head_commit: commit,
          requested_by: actor,
          correlation_id,
        }),
      );
    } catch (error) {
      if (violatesUnique(error, 'merge_jobs_open_key'))
        throw new DomainError('merge_already_queued', 'The task is already queued to be merged there');
      throw error;
    }
  }
}
