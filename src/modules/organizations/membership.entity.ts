import { Check, Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { User } from '../auth/user.entity.js';
import { Organization } from './organization.entity.js';

export const MEMBER_ROLES = ['owner', 'admin', 'member'] as const;
export type MemberRole = (typeof MEMBER_ROLES)[number];

@Entity('memberships')
@Check('memberships_role_check', `role IN ('owner','admin','member')`)
export class Membership {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'memberships_pkey' })
  @ForeignKey(() => Organization, { name: 'memberships_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'memberships_pkey' })
  @ForeignKey(() => User, { name: 'memberships_user_fkey', onDelete: 'CASCADE' })
  @Index('memberships_user_idx')
  user_id: string;

  @Column('text')
  role: MemberRole;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;
}
