import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { Organization } from '../organizations/organization.entity.js';
import { CodeRepository } from '../repositories/repository.entity.js';
import { Task } from '../tasks/task.entity.js';

/** The pull request that a task's branch of one repository has on GitHub. */
@Entity('pull_requests')
export class PullRequest {
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'pull_requests_pkey' })
  @ForeignKey(() => Task, { name: 'pull_requests_task_fkey', onDelete: 'CASCADE' })
  task_id: number;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pull_requests_pkey' })
  @ForeignKey(() => CodeRepository, { name: 'pull_requests_repo_fkey', onDelete: 'CASCADE' })
  repo_id: string;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'pull_requests_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('int')
  number: number;

  @Column('text')
  url: string;

  @Column('timestamptz', { default: () => 'now()' })
  created_at: Date;
}
