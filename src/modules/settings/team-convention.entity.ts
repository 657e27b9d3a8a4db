import { Check, Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { Team } from '../teams/team.entity.js';

/** One rule of how a team works; the active ones are in every prompt of its agents. */
@Entity('team_conventions')
@Check('team_conventions_content_check', 'char_length(content) BETWEEN 1 AND 4000')
export class TeamConvention {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'team_conventions_pkey' })
  @ForeignKey(() => Team, { name: 'team_conventions_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'team_conventions_pkey' })
  key: string;

  @Column('text')
  content: string;

  @Column('boolean', { default: true })
  active: boolean;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at: Date;
}
