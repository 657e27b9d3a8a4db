import { Check, Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { Team } from '../teams/team.entity.js';
import { type TeamSettingsValues } from './settings.dto.js';

/** What a team has set; a team that has set nothing has no row. */
@Entity('team_settings')
@Check('team_settings_values_check', `jsonb_typeof("values") = 'object'`)
export class StoredTeamSettings {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'team_settings_pkey' })
  @ForeignKey(() => Team, { name: 'team_settings_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  @Column('jsonb')
  values: TeamSettingsValues;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at: Date;
}
