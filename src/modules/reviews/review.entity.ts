import { Check, Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { type Actor } from '../auth/identity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Task } from '../tasks/task.entity.js';
import { Team } from '../teams/team.entity.js';

export const VERDICTS = ['approve', 'request_changes', 'reject'] as const;
export type Verdict = (typeof VERDICTS)[number];
export const REVIEWER_TYPES = ['agent', 'user'] as const;
export type ReviewerType = (typeof REVIEWER_TYPES)[number];

/** One look at a task's work, with at most one verdict. The newest one of a task is the one that stands. */
@Entity('reviews')
@Check(
  'reviews_decided_check',
  `(verdict IS NULL) = (resolved_at IS NULL) AND (verdict IS NULL) = (decided_by IS NULL)`,
)
@Check('reviews_commit_check', `commit ~ '^[0-9a-f]{7,64}$'`)
@Check('reviews_verdict_check', `verdict IN ('approve','request_changes','reject')`)
@Check('reviews_reviewer_type_check', `reviewer_type IN ('agent','user')`)
@Index('reviews_attempt_key', ['task_id', 'attempt'], { unique: true })
export class Review {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'reviews_pkey',
  })
  id: number;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'reviews_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'reviews_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  @Column('bigint')
  @ForeignKey(() => Task, { name: 'reviews_task_fkey', onDelete: 'CASCADE' })
  task_id: number;

  /** 1 for the task's first. */
  @Column('int')
  attempt: number;

  /** Who is asked for the verdict, or anybody; from the verdict on, who gave it. */
  @Column('uuid', { nullable: true })
  reviewer_id: string | null;

  /** `user` also for an organization's key that does not say that it speaks for an agent. */
  @Column('text')
  reviewer_type: ReviewerType;

  /** What was reviewed, as far as it is known. */
  @Column('text', { nullable: true })
  commit: string | null;

  @Column('text', { nullable: true })
  verdict: Verdict | null;

  @Column('text', { nullable: true })
  summary: string | null;

  @Column('jsonb')
  requested_by: Actor;

  @Column('jsonb', { nullable: true })
  decided_by: Actor | null;

  /** Who the body of the verdict said the reviewer is. */
  @Column('jsonb', { nullable: true })
  claimed: Record<string, string> | null;

  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  created_at: Date;

  @Column('timestamptz', { nullable: true })
  resolved_at: Date | null;
}
