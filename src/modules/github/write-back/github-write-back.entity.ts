import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  ForeignKey,
  Index,
  PrimaryColumn,
  UpdateDateColumn,
} from 'typeorm';
import { Organization } from '../../organizations/organization.entity.js';
import { Task } from '../../tasks/task.entity.js';

export const WRITE_BACK_STATUSES = ['waiting', 'pending', 'paused', 'retrying', 'current', 'failed'] as const;
/**
 * `waiting` for credentials; `paused` while GitHub limits the organization; `retrying` after a failure; `current`:
 * GitHub shows what there is to say; `failed` until the task changes again or new credentials are saved.
 */
export type WriteBackStatus = (typeof WRITE_BACK_STATUSES)[number];

/**
 * That GitHub is to be told of a task. A trigger on task_events counts `wanted` up in the transaction of each change;
 * the worker brings GitHub up to the task as it is then and takes that count over into `written`.
 */
@Entity('github_write_backs')
@Check(
  'github_write_backs_status_check',
  `status IN ('waiting','pending','paused','retrying','current','failed')`,
)
@Index('github_write_backs_due_idx', ['due_at'], { where: 'due_at IS NOT NULL' })
@Index('github_write_backs_org_idx', ['org_id', 'status'])
@Index('github_write_backs_lease_idx', ['org_id'], { where: 'leased_until IS NOT NULL' })
export class GithubWriteBack {
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'github_write_backs_pkey' })
  @ForeignKey(() => Task, { name: 'github_write_backs_task_fkey', onDelete: 'CASCADE' })
  task_id: number;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'github_write_backs_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('text')
  status: WriteBackStatus;

  @Column('int', { default: 1 })
  wanted: number;

  @Column('int', { default: 0 })
  written: number;

  /** Hidden in the comment: how it is found again when GitHub's answer was lost. Nobody can know it before. */
  @Column('uuid')
  marker: string;

  @Column('bigint', { nullable: true })
  comment_id: number | null;

  @Column('text', { nullable: true })
  comment_url: string | null;

  /** Of the text GitHub has: what would not change is not sent. */
  @Column('text', { nullable: true })
  comment_sha256: string | null;

  /** A comment may have been created since, whatever became of the answer. */
  @Column('timestamptz', { nullable: true })
  create_started_at: Date | null;

  @Column('timestamptz', { nullable: true })
  labelled_at: Date | null;

  /** `completed_at` of the completion that the issue was closed for: each closes it once. */
  @Column('timestamptz', { nullable: true })
  closed_for: Date | null;

  /** Null when there is nothing to do. */
  @Column('timestamptz', { nullable: true })
  due_at: Date | null;

  @Column('uuid', { nullable: true })
  lease: string | null;

  @Column('timestamptz', { nullable: true })
  leased_until: Date | null;

  @Column('int', { default: 0 })
  failures: number;

  /** For a person. */
  @Column('text', { nullable: true })
  last_error: string | null;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updated_at: Date;
}
