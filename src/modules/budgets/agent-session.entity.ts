import { Check, Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { Agent } from '../agents/agent.entity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Task } from '../tasks/task.entity.js';
import { Team } from '../teams/team.entity.js';

/** What one agent used of one model at a stretch: in a run, or outside of any. */
@Entity('agent_sessions')
@Check(
  'agent_sessions_amounts_check',
  'tokens_in >= 0 AND tokens_out >= 0 AND cache_read >= 0 AND cache_write >= 0 AND cost_usd >= 0',
)
@Index('agent_sessions_run_report_key', ['run_id', 'model'], { unique: true, where: 'of_run' })
@Index('agent_sessions_open_idx', ['agent_id'], { where: 'ended_at IS NULL' })
@Index('agent_sessions_agent_idx', ['agent_id', 'id'])
@Index('agent_sessions_team_idx', ['team_id', 'started_at'])
@Index('agent_sessions_task_idx', ['task_id'])
@Index('agent_sessions_run_idx', ['run_id'])
export class AgentSession {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'agent_sessions_pkey',
  })
  id: number;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'agent_sessions_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'agent_sessions_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  @Column('uuid')
  @ForeignKey(() => Agent, { name: 'agent_sessions_agent_fkey', onDelete: 'CASCADE' })
  agent_id: string;

  @Column('bigint', { nullable: true })
  @ForeignKey(() => Task, { name: 'agent_sessions_task_fkey', onDelete: 'SET NULL' })
  task_id: number | null;

  /** By name: dispatch knows this module. */
  @Column('uuid', { nullable: true })
  @ForeignKey('AgentRun', { name: 'agent_sessions_run_fkey', onDelete: 'SET NULL' })
  run_id: string | null;

  /** Made of what the run itself reports, one for each model; the others are started by their agent. */
  @Column('boolean', { default: false })
  of_run: boolean;

  @Column('text')
  model: string;

  @Column('bigint', { default: 0 })
  tokens_in: number;

  @Column('bigint', { default: 0 })
  tokens_out: number;

  @Column('bigint', { default: 0 })
  cache_read: number;

  @Column('bigint', { default: 0 })
  cache_write: number;

  /** Exact; the driver gives it as text. */
  @Column('numeric', { default: 0 })
  cost_usd: string;

  /** Null: nobody has said what was used, which is not the same as nothing. */
  @Column('timestamptz', { nullable: true })
  usage_reported_at: Date | null;

  @Column('timestamptz', { default: () => 'now()' })
  started_at: Date;

  @Column('timestamptz', { default: () => 'now()' })
  last_seen_at: Date;

  @Column('timestamptz', { nullable: true })
  ended_at: Date | null;

  @Column('text', { nullable: true })
  error: string | null;
}
