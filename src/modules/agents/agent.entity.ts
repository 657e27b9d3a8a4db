import { Check, Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Organization } from '../organizations/organization.entity.js';
import { Team } from '../teams/team.entity.js';

export const AGENT_ROLES = ['manager', 'engineer', 'reviewer'] as const;
export type AgentRole = (typeof AGENT_ROLES)[number];
export const AGENT_STATUSES = ['idle', 'working', 'paused'] as const;
export type AgentStatus = (typeof AGENT_STATUSES)[number];
export const AGENT_RUNTIMES = ['pull', 'command', 'http'] as const;
export type AgentRuntime = (typeof AGENT_RUNTIMES)[number];
export const DEFAULT_MODEL = 'claude-sonnet-4-20250514';

@Entity('agents')
@Check('agents_role_check', `role IN ('manager','engineer','reviewer')`)
@Check('agents_status_check', `status IN ('idle','working','paused')`)
@Check('agents_runtime_check', `runtime IN ('pull','command','http')`)
@Index('agents_team_name_key', ['team_id', 'name'], { unique: true })
@Index('agents_idle_idx', ['team_id', 'created_at', 'id'], { where: `status = 'idle'` })
export class Agent {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'agents_pkey' })
  id: string;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'agents_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'agents_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  @Column('text')
  name: string;

  @Column('text')
  role: AgentRole;

  @Column('text')
  model: string;

  @Column('jsonb', { default: {} })
  config: Record<string, unknown>;

  /** How work reaches the agent: it asks (`pull`), a program is started (`command`), its URL is called (`http`). */
  @Column('text', { default: 'pull' })
  runtime: AgentRuntime;

  /** `command`: {command, timeout_seconds?}; `http`: {url, timeout_seconds?}; `pull`: {}. */
  @Column('jsonb', { default: {} })
  runtime_config: Record<string, unknown>;

  /** Key of the signatures on calls to an `http` runtime, encrypted. */
  @Column('bytea', { nullable: true, select: false })
  runtime_secret: Buffer | null;

  @Column('text', { default: 'idle' })
  status: AgentStatus;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;
}
