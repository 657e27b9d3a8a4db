import { Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { User } from './user.entity.js';

/** One refresh token ever issued. Tokens that follow from one login share a family, which is revoked as a whole. */
@Entity('refresh_tokens')
@Index('refresh_tokens_family_idx', ['family_id'])
@Index('refresh_tokens_expires_idx', ['expires_at'])
@Index('refresh_tokens_user_idx', ['user_id'])
export class RefreshToken {
  /** The token's `jti`. */
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'refresh_tokens_pkey' })
  id: string;

  @Column('uuid')
  family_id: string;

  @Column('uuid')
  @ForeignKey(() => User, { name: 'refresh_tokens_user_fkey', onDelete: 'CASCADE' })
  user_id: string;

  /** When it was exchanged for its successor; a second exchange is reuse. */
  @Column('timestamptz', { nullable: true })
  used_at: Date | null;

  @Column('timestamptz', { nullable: true })
  revoked_at: Date | null;

  @Column('timestamptz')
  expires_at: Date;

  @CreateDateColumn({ type: 'timestamptz' })
  created_at: Date;
}
