import { Check, Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { type Actor } from '../auth/identity.js';
import { Organization } from '../organizations/organization.entity.js';
import { CodeRepository } from '../repositories/repository.entity.js';
import { Task } from '../tasks/task.entity.js';

export const MERGE_STATUSES = ['queued', 'running', 'success', 'failed'] as const;
export type MergeJobStatus = (typeof MERGE_STATUSES)[number];
export const MERGE_STRATEGIES = ['rebase', 'merge', 'squash'] as const;
export type MergeStrategy = (typeof MERGE_STRATEGIES)[number];

/** What the default branch was about to become: written down before it does. */
export interface MergeIntent {
  onto: string;
  commit: string;
}

/** One task's branch on its way into the default branch of one repository. */
@Entity('merge_jobs')
@Check('merge_jobs_status_check', `status IN ('queued','running','success','failed')`)
@Check('merge_jobs_strategy_check', `strategy IN ('rebase','merge','squash')`)
@Check('merge_jobs_completed_check', `(completed_at IS NULL) = (status IN ('queued','running'))`)
@Check('merge_jobs_lease_check', `(lease_expires_at IS NOT NULL) = (status = 'running')`)
@Index('merge_jobs_open_key', ['task_id', 'repo_id'], { unique: true, where: 'completed_at IS NULL' })
@Index('merge_jobs_running_key', ['repo_path'], { unique: true, where: `status = 'running'` })
@Index('merge_jobs_queue_idx', ['repo_path', 'id'], { where: 'completed_at IS NULL' })
@Index('merge_jobs_task_idx', ['task_id', 'id'])
export class MergeJob {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'merge_jobs_pkey',
  })
  id: number;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'merge_jobs_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  team_id: string;

  @Column('bigint')
  @ForeignKey(() => Task, { name: 'merge_jobs_task_fkey', onDelete: 'CASCADE' })
  task_id: number;

  @Column('uuid')
  @ForeignKey(() => CodeRepository, { name: 'merge_jobs_repo_fkey', onDelete: 'CASCADE' })
  repo_id: string;

  /** One at a time for each place on the disk: two teams may have registered the same. */
  @Column('text')
  repo_path: string;

  @Column('text')
  strategy: MergeStrategy;

  @Column('text', { default: 'queued' })
  status: MergeJobStatus;

  /** What was approved, and nothing else, is merged. */
  @Column('text')
  head_commit: string;

  @Column('jsonb', { default: [] })
  intents: MergeIntent[];

  @Column('text', { nullable: true })
  merge_commit: string | null;

  /** Why it failed, or what it waits for. */
  @Column('text', { nullable: true })
  error: string | null;

  @Column('text', { nullable: true })
  checks_output: string | null;

  @Column('int', { default: 0 })
  attempts: number;

  @Column('timestamptz', { nullable: true })
  not_before: Date | null;

  /** Grows with every claim: whoever writes with an older one is refused, by the database and by git. */
  @Column('bigint', { nullable: true })
  fencing_token: number | null;

  @Column('timestamptz', { nullable: true })
  lease_expires_at: Date | null;

  @Column('jsonb')
  requested_by: Actor;

  @Column('uuid')
  correlation_id: string;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;

  @Column('timestamptz', { nullable: true })
  started_at: Date | null;

  @Column('timestamptz', { nullable: true })
  completed_at: Date | null;
}
