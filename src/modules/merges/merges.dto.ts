import { IsIn, IsOptional } from 'class-validator';
import { RepositoryQuery } from '../worktrees/worktrees.dto.js';
import {
  MERGE_STATUSES,
  MERGE_STRATEGIES,
  type MergeJob,
  type MergeJobStatus,
  type MergeStrategy,
} from './merge-job.entity.js';

export class MergeQuery extends RepositoryQuery {
  /** Default `rebase`. */
  @IsOptional()
  @IsIn(MERGE_STRATEGIES)
  strategy?: MergeStrategy;
}

export class MergeJobDto {
  id: number;
  task_id: number;
  repo_id: string;
  @IsIn(MERGE_STATUSES)
  status: MergeJobStatus;
  @IsIn(MERGE_STRATEGIES)
  strategy: MergeStrategy;
  /** Why it failed, what it waits for, or what went wrong after it had succeeded. */
  error: string | null;
  /** The tip of the default branch that the merge made. */
  merge_commit: string | null;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  /** The commit that was approved. */
  head_commit: string;
  /** The last 64 KiB of what the checks printed. */
  checks_output: string | null;
  attempts: number;
  /** Waits until then: somebody has to mend what `error` tells. */
  not_before: Date | null;
}

export class MergeStatusDto {
  task_id: number;
  /** Of the newest review. */
  review_verdict: string | null;
  /** 0 when there is none. */
  review_attempt: number;
  merge_jobs: MergeJobDto[];
  can_merge: boolean;
}

export const toMergeJobDto = (job: MergeJob): MergeJobDto => ({
  id: job.id,
  task_id: job.task_id,
  repo_id: job.repo_id,
  status: job.status,
  strategy: job.strategy,
  error: job.error,
  merge_commit: job.merge_commit,
  created_at: job.created_at,
  started_at: job.started_at,
  completed_at: job.completed_at,
  head_commit: job.head_commit,
  checks_output: job.checks_output,
  attempts: job.attempts,
  not_before: job.not_before,
});
