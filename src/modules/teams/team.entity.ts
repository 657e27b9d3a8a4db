import { Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Organization } from '../organizations/organization.entity.js';

@Entity('teams')
@Index('teams_org_slug_key', ['org_id', 'slug'], { unique: true })
export class Team {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'teams_pkey' })
  id: string;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'teams_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('text')
  name: string;

  @Column('text')
  slug: string;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;
}
