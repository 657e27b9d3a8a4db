import { Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Organization } from '../organizations/organization.entity.js';
import { Team } from '../teams/team.entity.js';

/** A git repository on the server's disk that a team works in. */
@Entity('repositories')
@Index('repositories_team_name_key', ['team_id', 'name'], { unique: true })
export class CodeRepository {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'repositories_pkey' })
  id: string;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'repositories_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'repositories_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  @Column('text')
  name: string;

  @Column('text')
  local_path: string;

  @Column('text', { default: 'main' })
  default_branch: string;

  @Column('jsonb', { default: {} })
  config: Record<string, unknown>;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;
}
