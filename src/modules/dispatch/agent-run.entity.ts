import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Agent, type AgentRuntime } from '../agents/agent.entity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Task } from '../tasks/task.entity.js';

export const RUN_STATUSES = ['starting', 'running', 'succeeded', 'failed', 'cancelled', 'expired'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** One attempt of one agent at one task. The partial unique indexes keep runs of a task, and of an agent, apart. */
@Entity('agent_runs')
@Check(
  'agent_runs_status_check',
  `status IN ('starting','running','succeeded','failed','cancelled','expired')`,
)
@Check('agent_runs_finished_check', `(finished_at IS NULL) = (status IN ('starting','running'))`)
@Index('agent_runs_active_task_key', ['task_id'], { unique: true, where: 'finished_at IS NULL' })
@Index('agent_runs_active_agent_key', ['agent_id'], { unique: true, where: 'finished_at IS NULL' })
@Index('agent_runs_orphans_idx', ['started_at'], { where: `status = 'starting' AND dispatcher IS NULL` })
@Index('agent_runs_task_idx', ['task_id', 'attempt'], { unique: true })
@Index('agent_runs_agent_idx', ['agent_id', 'started_at'])
@Index('agent_runs_team_idx', ['team_id', 'id'])
export class AgentRun {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'agent_runs_pkey' })
  id: string;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'agent_runs_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  team_id: string;

  @Column('bigint')
  @ForeignKey(() => Task, { name: 'agent_runs_task_fkey', onDelete: 'CASCADE' })
  task_id: number;

  @Column('uuid')
  @ForeignKey(() => Agent, { name: 'agent_runs_agent_fkey', onDelete: 'CASCADE' })
  agent_id: string;

  /** 1 for the task's first run. */
  @Column('int')
  attempt: number;

  @Column('text')
  status: RunStatus;

  @Column('text')
  runtime: AgentRuntime;

  /** Grows with every run ever started: whoever writes with an older one is refused. */
  @Column('bigint')
  fencing_token: number;

  @Column('timestamptz')
  lease_expires_at: Date;

  @Column('timestamptz')
  heartbeat_at: Date;

  @Column('timestamptz', { nullable: true })
  cancel_requested_at: Date | null;

  @Column('text', { nullable: true })
  cancel_reason: string | null;

  @Column('text', { nullable: true })
  dispatcher: string | null;

  /** What the agent was told; until the prompt is made, what the person who started the run told it. */
  @Column('text', { nullable: true })
  prompt: string | null;

  /** Messages in the prompt: processed once the run has succeeded. */
  @Column('bigint', { array: true, default: [] })
  message_ids: number[];

  @Column('int', { nullable: true })
  exit_code: number | null;

  @Column('text', { nullable: true })
  error: string | null;

  @Column('text', { nullable: true })
  summary: string | null;

  /** The last 64 KiB of what the program printed. */
  @Column('text', { nullable: true })
  output: string | null;

  @Column('uuid')
  correlation_id: string;

  /** When the run was claimed. */
  @Column('timestamptz', { default: () => 'now()' })
  started_at: Date;

  /** When the runtime reported that work had begun. */
  @Column('timestamptz', { nullable: true })
  work_started_at: Date | null;

  @Column('timestamptz', { nullable: true })
  finished_at: Date | null;
}
