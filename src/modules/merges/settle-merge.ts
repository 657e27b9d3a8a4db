import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { systemActor } from '../auth/identity.js';
import { Task } from '../tasks/task.entity.js';
import {
  lockTask,
  Messages,
  recordEvent,
  type TaskTransition,
  TaskTransitions,
} from '../tasks/tasks.facade.js';
import { Approvals } from './approval.js';
import { type ClaimedMerge } from './claim-merge.js';
import { type MergeIntent } from './merge-job.entity.js';
import { MergeNotCurrent, MergeRefused } from './merge-outcome.js';
import { type TaskTip, TaskTips } from './task-tips.js';

const ACTOR = systemActor('merges');
const TAKEN_OUT = 'The task was taken out of merging';
/** `$1` and `$2`: the job and the token of whoever writes. */
const MINE = `id = $1 AND fencing_token = $2 AND status = 'running'`;

/** What is written about a job that this process has; each write is refused once another has it. Locks task, then job. */
@Injectable()
export class SettleMerge {
  constructor(
    private readonly db: DataSource,
    private readonly transitions: TaskTransitions,
    private readonly messages: Messages,
    private readonly approvals: Approvals,
    private readonly tips: TaskTips,
  ) {
    transitions.onTransition(endWhatIsQueued);
  }

  /** @throws MergeNotCurrent */
  async renew(job: ClaimedMerge, lease_seconds: number): Promise<void> {
    await this.write(
      this.db.manager,
      job,
      'lease_expires_at = clock_timestamp() + make_interval(secs => $3)',
      lease_seconds,
    );
  }

  /**
   * Writes down what the default branch is about to become. The last moment at which a verdict, a commit or a person can
   * stop the merge.
   * @throws MergeRefused, MergeNotCurrent
   */
  async recordIntent(job: ClaimedMerge, intent: MergeIntent): Promise<void> {
    const newest = await this.tips.newest(this.db.manager, job.task_id);
    await this.db.transaction(async (manager) => {
      const task = await lockTask(manager, job.task_id);
      if (task.status !== 'merging') throw new MergeRefused('task_moved', TAKEN_OUT);
      const { refusal } = await this.approvals.of(manager, job.task_id, newest);
      if (refusal !== null) throw new MergeRefused('not_approved', refusal);
      await this.write(manager, job, 'intents = intents || $3::jsonb', JSON.stringify([intent]));
    });
  }

  async keepOutput(job: ClaimedMerge, checks_output: string): Promise<void> {
    await this.write(this.db.manager, job, 'checks_output = $3', checks_output);
  }

  /** The task is done once everything of it is merged. @param note what went wrong after the merge */
  async succeed(job: ClaimedMerge, commit: string, note: string | null): Promise<void> {
    const left = await this.leftBeside(job);
    await this.db.transaction(async (manager) => {
      const task = await lockTask(manager, job.task_id);
      await this.write(
        manager,
        job,
        `status = 'success', completed_at = clock_timestamp(), lease_expires_at = NULL, merge_commit = $3, error = $4`,
        commit,
        note,
      );
      await this.record(manager, job, 'merge.succeeded', { commit, ...(note === null ? {} : { note }) });
      if (task.status === 'merging' && !(await isMoreToMerge(manager, job, left)))
        await this.complete(manager, task);
    });
  }

  /** Back to who worked on the task, with the reason. */
  async fail(job: ClaimedMerge, { reason, message, details }: MergeRefused): Promise<void> {
    await this.db.transaction(async (manager) => {
      const task = await lockTask(manager, job.task_id);
      await this.write(
        manager,
        job,
        `status = 'failed', completed_at = clock_timestamp(), lease_expires_at = NULL, error = $3`,
        message,
      );
      const { files } = details;
      await this.record(manager, job, 'merge.failed', { reason, ...(files === undefined ? {} : { files }) });
      if (task.status === 'merging') await this.sendBack(manager, task, 'merge_failed', message);
    });
  }

  /** Gives the job back: to be tried again at once, or after `seconds`. */
  async giveBack(job: ClaimedMerge, seconds: number | null, error: string | null): Promise<void> {
    await this.write(
      this.db.manager,
      job,
      `status = 'queued', lease_expires_at = NULL, not_before = clock_timestamp() + make_interval(secs => $3), error = $4`,
      seconds,
      error,
    );
  }

  private async write(
    manager: EntityManager,
    job: ClaimedMerge,
    change: string,
    ...values: unknown[]
  ): Promise<void> {
    const [, count] = await manager.query<[unknown[], number]>(
      `UPDATE merge_jobs SET ${change} WHERE ${MINE}`,
      [job.id, job.fencing_token, ...values],
    );
    if (count === 0) throw new MergeNotCurrent();
  }

  /** Repositories that the task names, and in which its branch is not merged. */
  private async leftBeside(job: ClaimedMerge): Promise<TaskTip[]> {
    const task = await this.db.manager.findOneByOrFail(Task, { id: job.task_id });
    if (task.repo_ids.length === 0) return [];
    const left = await this.tips.unmerged(this.db.manager, task);
    return left.filter(({ repository }) => repository.id !== job.repo_id);
  }

  /** Between the merge and this line an agent may have gone on, and a team may require that this is reviewed as well. */
  private async complete(manager: EntityManager, task: Task): Promise<void> {
    const move = { task_id: task.id, actor: ACTOR };
    try {
      await this.transitions.transition(manager, {
        ...move,
        to: 'done',
        reason: 'merged',
        patch: { last_error: null },
      });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      await this.sendBack(
        manager,
        task,
        'merged_in_part',
        `What was approved is merged, but: ${error.detail}`,
      );
    }
  }

  private async sendBack(
    manager: EntityManager,
    task: Task,
    reason: string,
    last_error: string,
  ): Promise<void> {
    const { org_id, team_id, assignee_id } = task;
    if (assignee_id !== null)
      await this.messages.tell(manager, {
        org_id,
        team_id,
        recipient_id: assignee_id,
        task_id: task.id,
        content: `## Merge Failed\n\nTask ${task.id} could not be merged.\n\n${last_error}`,
        actor: ACTOR,
      });
    await this.transitions.sendBack(manager, {
      task_id: task.id,
      actor: ACTOR,
      reason,
      patch: { last_error },
    });
  }

  private record(
    manager: EntityManager,
    { org_id, task_id, id, repo_id, correlation_id }: ClaimedMerge,
    type: string,
    data: Record<string, unknown>,
  ): Promise<void> {
    return recordEvent(manager, {
      org_id,
      task_id,
      type,
      data: { job_id: id, repo_id, ...data },
      actor: ACTOR,
      correlation_id,
    });
  }
}

/** In the queue, or in a repository that nobody has queued it for yet. A tip that was squashed only looks unmerged. */
async function isMoreToMerge(
  manager: EntityManager,
  { task_id }: ClaimedMerge,
  left: TaskTip[],
): Promise<boolean> {
  const [row] = await manager.query<{ more: boolean }[]>(
    `SELECT EXISTS (SELECT FROM merge_jobs WHERE task_id = $1 AND completed_at IS NULL) OR EXISTS (
       SELECT FROM unnest($2::uuid[], $3::text[]) AS tip (repo_id, commit) WHERE NOT EXISTS (
         SELECT FROM merge_jobs j WHERE j.task_id = $1 AND j.repo_id = tip.repo_id AND j.head_commit = tip.commit
           AND j.status = 'success')) AS more`,
    [task_id, left.map(({ repository }) => repository.id), left.map(({ commit }) => commit)],
  );
  return row?.more ?? false;
}

/** A task that leaves `merging` takes its jobs along, but for one whose merge may be happening this very moment. */
async function endWhatIsQueued(manager: EntityManager, { task, from, to }: TaskTransition): Promise<void> {
  if (from !== 'merging') return;
  const [ended] = await manager.query<[{ id: number; repo_id: string }[], number]>(
    `UPDATE merge_jobs SET status = 'failed', completed_at = clock_timestamp(), lease_expires_at = NULL, error = $2
     WHERE task_id = $1 AND completed_at IS NULL AND (status = 'queued' OR intents = '[]')
     RETURNING id, repo_id`,
    [task.id, TAKEN_OUT],
  );
  for (const { id, repo_id } of ended)
    await recordEvent(manager, {
      org_id: task.org_id,
      task_id: task.id,
      type: 'merge.failed',
      data: { job_id: id, repo_id, reason: 'task_moved', to },
      actor: ACTOR,
      correlation_id: task.correlation_id,
    });
}
