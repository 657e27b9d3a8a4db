import { Check, Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { type Actor } from '../auth/identity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Team } from '../teams/team.entity.js';
import { Review, type ReviewerType } from './review.entity.js';

@Entity('review_comments')
@Check('review_comments_author_type_check', `author_type IN ('agent','user')`)
@Index('review_comments_review_idx', ['review_id', 'id'])
export class ReviewComment {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'review_comments_pkey',
  })
  id: number;

  @Column('uuid')
  @ForeignKey(() => Organization, { name: 'review_comments_org_fkey', onDelete: 'CASCADE' })
  org_id: string;

  @Column('uuid')
  @ForeignKey(() => Team, { name: 'review_comments_team_fkey', onDelete: 'CASCADE' })
  team_id: string;

  @Column('bigint')
  @ForeignKey(() => Review, { name: 'review_comments_review_fkey', onDelete: 'CASCADE' })
  review_id: number;

  /** The authenticated user, agent or key; what the body said is in `claimed`. */
  @Column('uuid', { nullable: true })
  author_id: string | null;

  @Column('text')
  author_type: ReviewerType;

  @Column('jsonb', { nullable: true })
  claimed: Record<string, string> | null;

  @Column('jsonb')
  actor: Actor;

  @Column('text', { nullable: true })
  file_path: string | null;

  @Column('int', { nullable: true })
  line_number: number | null;

  @Column('text')
  content: string;

  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  created_at: Date;
}
