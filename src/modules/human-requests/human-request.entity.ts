import { Check, Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { Agent } from '../agents/agent.entity.js';
import { type Actor } from '../auth/identity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Task } from '../tasks/task.entity.js';
import { Team } from '../teams/team.entity.js';

export const HUMAN_REQUEST_STATUSES = ['pending', 'resolved', 'expired'] as const;
export type HumanRequestStatus = (typeof HUMAN_REQUEST_STATUSES)[number];

/** A question of an agent that only a person may answer. */
@Entity('human_requests')
@Check(
  'human_requests_answered_check',
  `(status = 'resolved') = (response IS NOT NULL) AND (status = 'pending') = (resolved_at IS NULL)`,
)
@Check('human_requests_status_check', `status IN ('pending','resolved','expired')`)
@Index('human_requests_team_idx', ['team_id', 'id'])
@Index('human_requests_due_idx', ['timeout_at'], { where: `status = 'pending'` })
@Index('human_requests_pending_idx', ['team_id', 'id'], { where: `status = 'pending'` })
export class HumanRequest {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'human_requests_pkey',
  })
  id: number;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'human_requests_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'human_requests_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  /** Who asks, and is told the answer. */
  @Column('uuid')
  @ForeignKey(() => Agent, { name: 'human_requests_agent_fkey', onDelete: 'CASCADE' })
  agent_id: string;

  @Column('bigint', { nullable: true })
  @ForeignKey(() => Task, { name: 'human_requests_task_fkey', onDelete: 'CASCADE' })
  task_id: number | null;

  /** `question`, `approval`, `review`, …: free. */
  @Column('text')
  kind: string;

  @Column('text')
  question: string;

  /** The only answers there are; any, when empty. */
  @Column('text', { array: true, default: [] })
  options: string[];

  @Column('text', { default: 'pending' })
  status: HumanRequestStatus;

  @Column('text', { nullable: true })
  response: string | null;

  /** The authenticated user or key; what the body said is in `claimed`. */
  @Column('uuid', { nullable: true })
  responded_by: string | null;

  @Column('jsonb', { nullable: true })
  claimed: Record<string, string> | null;

  @Column('jsonb')
  asked_by: Actor;

  @Column('jsonb', { nullable: true })
  answered_by: Actor | null;

  @Column('timestamptz', { nullable: true })
  timeout_at: Date | null;

  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  created_at: Date;

  /** When it was answered or expired. */
  @Column('timestamptz', { nullable: true })
  resolved_at: Date | null;
}
