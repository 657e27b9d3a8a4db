import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Organization } from '../organizations/organization.entity.js';
import { Task } from './task.entity.js';

/**
 * The issue or pull request a task comes from, and what is known of it, also before there is a task. The key makes
 * one issue one task: `github.com/repositories/<id>/issues/<number>`.
 */
@Entity('task_sources')
@Index('task_sources_task_key', ['task_id'], { unique: true })
export class TaskSource {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'task_sources_pkey' })
  @ForeignKey(() => Organization, { name: 'task_sources_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'task_sources_pkey' })
  key: string;

  @Column('bigint', { nullable: true })
  @ForeignKey(() => Task, { name: 'task_sources_task_fkey', onDelete: 'CASCADE' })
  task_id: number | null;

  @Column('uuid')
  webhook_id: string;

  @Column('text')
  kind: 'issue' | 'pull_request';

  /** Numeric repository id on GitHub; null where the payload names no repository. */
  @Column('bigint', { nullable: true })
  repository_id: number | null;

  /** `owner/name` when last seen. */
  @Column('text', { nullable: true })
  repository: string | null;

  @Column('int', { nullable: true })
  number: number | null;

  @Column('text', { nullable: true })
  url: string | null;

  @Column('text', { nullable: true })
  author: string | null;

  /** OWNER, MEMBER, COLLABORATOR, CONTRIBUTOR, FIRST_TIMER, FIRST_TIME_CONTRIBUTOR, MANNEQUIN, NONE. */
  @Column('text', { nullable: true })
  author_association: string | null;

  /** Label → whether it is set: operations that come before `opened` are kept and win over its snapshot. */
  @Column('jsonb', { default: {} })
  labels: Record<string, boolean>;

  @Column('text', { default: 'open' })
  state: 'open' | 'closed' | 'deleted' | 'transferred';

  /** GitHub's reason of `closed`, or `merged`; of `transferred`, the key it has now. */
  @Column('text', { nullable: true })
  state_reason: string | null;

  @Column('boolean', { default: false })
  draft: boolean;

  /** The latest `updated_at` GitHub gave: what is older is stale. */
  @Column('timestamptz', { nullable: true })
  source_updated_at: Date | null;

  /** SHA-256 of title and body as last seen: what differs from it was edited. */
  @Column('text', { nullable: true })
  body_sha256: string | null;

  /** Title and body as an event showed them that came before `opened`: used when they are the newer ones. */
  @Column('jsonb', { nullable: true })
  early_text: { title: string; body: string } | null;

  /** Title or body changed after work had started on them. */
  @Column('boolean', { default: false })
  edited_after_start: boolean;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at: Date;
}
