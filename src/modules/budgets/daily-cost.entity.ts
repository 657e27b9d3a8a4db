import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Agent } from '../agents/agent.entity.js';
import { Team } from '../teams/team.entity.js';

/** What an agent spent on a day (UTC), added up with each report: the claim must not add up sessions. */
@Entity('daily_costs')
@Index('daily_costs_team_idx', ['team_id', 'day'])
export class DailyCost {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'daily_costs_pkey' })
  @ForeignKey(() => Agent, { name: 'daily_costs_agent_fkey', onDelete: 'CASCADE' })
  agent_id: string;

  @PrimaryColumn('date', { primaryKeyConstraintName: 'daily_costs_pkey' })
  day: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'daily_costs_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  @Column('numeric')
  cost_usd: string;
}
