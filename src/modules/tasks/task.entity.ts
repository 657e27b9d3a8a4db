import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  ForeignKey,
  Index,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';
import { Agent } from '../agents/agent.entity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Team } from '../teams/team.entity.js';

export const TASK_STATUSES = [
  'todo',
  'in_progress',
  'in_review',
  'in_approval',
  'merging',
  'done',
  'cancelled',
  'archived',
] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

/** Most urgent first: the order of the PostgreSQL enum, so that `ORDER BY priority` is the order of urgency. */
export const TASK_PRIORITIES = ['critical', 'high', 'medium', 'low'] as const;
export type TaskPriority = (typeof TASK_PRIORITIES)[number];

/** What a cancelled dependency means to the task: it blocks, counts as done, or takes the task with it. */
export const ON_CANCEL = ['block', 'skip', 'cancel'] as const;
export type OnCancel = (typeof ON_CANCEL)[number];

@Entity('tasks')
@Check(
  'tasks_status_check',
  `status IN ('todo','in_progress','in_review','in_approval','merging','done','cancelled','archived')`,
)
@Check('tasks_title_check', 'char_length(title) BETWEEN 1 AND 500')
@Check('tasks_parent_check', 'parent_id <> id')
@Check('tasks_on_cancel_check', `on_cancel IN ('block','skip','cancel')`)
@Index('tasks_team_idx', ['team_id', 'id'])
@Index('tasks_waiting_idx', ['team_id', 'priority', 'id'], {
  where: `status = 'todo' AND hold_reason IS NULL`,
})
@Index('tasks_approved_idx', ['id'], { where: `status = 'in_approval'` })
@Index('tasks_backoff_idx', ['dispatch_after'], { where: 'dispatch_after IS NOT NULL' })
@Index('tasks_parent_idx', ['parent_id', 'id'], { where: 'parent_id IS NOT NULL' })
@Index('tasks_assigned_idx', ['assignee_id', 'priority', 'id'], { where: `status = 'todo'` })
export class Task {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'tasks_pkey',
  })
  id: number;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'tasks_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'tasks_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  /** The task that this one is a part of; of the same team. */
  @Column('bigint', { nullable: true })
  @ForeignKey(() => Task, { name: 'tasks_parent_fkey', onDelete: 'SET NULL' })
  parent_id: number | null;

  @Column('text')
  title: string;

  @Column('text', { default: '' })
  description: string;

  @Column('text', { default: 'todo' })
  status: TaskStatus;

  @Column('enum', { enum: TASK_PRIORITIES, enumName: 'task_priority', default: 'medium' })
  priority: TaskPriority;

  /** Who answers for the task (directly responsible individual): an agent or a user. */
  @Column('uuid', { nullable: true })
  dri_id: string | null;

  /** The agent that works on it. */
  @Column('uuid', { nullable: true })
  @ForeignKey(() => Agent, { name: 'tasks_assignee_fkey', onDelete: 'SET NULL' })
  assignee_id: string | null;

  /** May be given to any idle agent of the team, also away from an assignee that is busy. */
  @Column('boolean', { default: false })
  auto_assign: boolean;

  /** Narrows `auto_assign` to agents of one role. */
  @Column('text', { nullable: true })
  auto_assign_role: string | null;

  /**
   * Why the task must not be dispatched: `awaiting_release`, `draft`, `attempts_exhausted`, `run_cancelled`,
   * `subtasks_gone`, `budget_exceeded`; null when it may.
   */
  @Column('text', { nullable: true })
  hold_reason: string | null;

  /** The last thing that went wrong, for a person. */
  @Column('text', { nullable: true })
  last_error: string | null;

  /** Failed runs since the task was last released, reassigned or reopened. */
  @Column('int', { default: 0 })
  failed_runs: number;

  /** Not dispatched before this moment: the backoff after a failed run. */
  @Column('timestamptz', { nullable: true })
  dispatch_after: Date | null;

  @Column('text', { default: 'block' })
  on_cancel: OnCancel;

  @Column('uuid', { array: true, default: [] })
  repo_ids: string[];

  @Column('text', { array: true, default: [] })
  tags: string[];

  @Column('text')
  branch: string;

  /** Starts at the delivery or request that created the task and follows it through every event. */
  @Column('uuid')
  correlation_id: string;

  @VersionColumn({ default: 1 })
  version: number;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updated_at: Date;

  @Column('timestamptz', { nullable: true })
  completed_at: Date | null;
}
