import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('organizations')
export class Organization {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'organizations_pkey' })
  id: string;

  @Column('text')
  name: string;

  @Index('organizations_slug_key', { unique: true })
  @Column('text')
  slug: string;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;
}
